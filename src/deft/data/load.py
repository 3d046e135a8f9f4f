"""`load_images`: one function for every form in which people keep labelled images."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deft.data import huggingface
from deft.data.arrays import from_arrays
from deft.data.assemble import SourceRows, assemble, unique
from deft.data.folders import IMAGE_ENDINGS, METADATA, from_folder
from deft.data.huggingface import is_saved
from deft.data.images import LabeledImages
from deft.data.names import Classes, class_names
from deft.data.readers import FileReader, file_problem, show_path
from deft.data.tables import TABLE_ENDINGS, Columns, from_table
from deft.errors import DataError
from deft.progress import Progress, Silent

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?")


def load_images(
    source: Any,
    *,
    labels: Sequence[Any] | np.ndarray[Any, Any] | str | os.PathLike[str] | None = None,
    classes: Classes | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    clean_column: str | None = None,
    progress: Progress | None = None,
) -> LabeledImages:
    """Find images and their labels; nothing is decoded, and nothing is written.

    Args:
        source: A folder with one folder per class (or one per split, with one per class in each); a folder
            with `metadata.csv`, `.jsonl` or `.parquet`; a CSV, TSV, JSON-lines or Parquet file with a
            column of paths, relative to the file, or of image bytes; a folder of `save_to_disk`; a
            `datasets.Dataset` or its id on the Hugging Face Hub; a uint8 array (N, H, W[, 3]); a list of
            Pillow images.
        labels: A table of labels for a folder of images; or, for images in memory, one label each.
        classes: Names of the classes: in order of their integer labels, or a mapping from id to name, or a
            file of either. Other spellings of these names are then read as these names.
        split: Only the rows of this split.
        image_column: The table's column with images or paths; guessed from `IMAGE_COLUMNS` if not named.
        label_column: The table's column with labels; guessed from `LABEL_COLUMNS` if not named.
        clean_column: The table's column with true labels, where they are known; for scoring only.
        progress: Told of every guess, and of what was skipped or is odd.

    Returns:
        The images, in the order of the source; a folder is read in the order of its names.

    Raises:
        DataError: The source can't be understood; single unusable rows become `read_errors` instead.

    Example:
        >>> load_images("photos/")  # doctest: +SKIP
        LabeledImages(9993 images, 2 classes, 4 unusable)
    """
    told = Silent() if progress is None else progress
    columns = Columns(image_column, label_column, clean_column)
    names = class_names(classes)
    if isinstance(source, str | os.PathLike):
        found = _from_path(os.fspath(source), labels, columns, split, told)
    elif type(source).__module__.partition(".")[0] == "datasets":
        _refuse_labels(labels, "A data set")
        found = huggingface.from_dataset(source, "dataset", columns, told)
    elif isinstance(source, np.ndarray | Sequence) and not isinstance(source, bytes):
        if labels is None or isinstance(labels, str | os.PathLike):
            raise DataError("Images in memory need labels=, with one label per image.")
        found = from_arrays(source, labels.tolist() if isinstance(labels, np.ndarray) else labels)
    else:
        raise DataError(
            f"Images can't be loaded from a {type(source).__name__}: expected a path, a Hub id, a "
            "datasets.Dataset, a uint8 array or a list of Pillow images."
        )
    return assemble(found, names, split, told)


def _from_path(source: str, labels: Any, columns: Columns, split: str | None, progress: Progress) -> SourceRows:
    path = Path(source).expanduser()
    if labels is not None and not isinstance(labels, str | os.PathLike):
        raise DataError("For files, labels= is the path of a table; a list of labels goes with images in memory.")
    if path.is_dir():
        if labels is not None:
            table = Path(labels).expanduser()
            if not table.is_file():
                raise DataError(f"There is no table of labels at {table}.")
            return from_table(table, columns, progress, [path])
        if huggingface.is_saved(str(path)):
            return huggingface.from_dataset(huggingface.from_saved(str(path)), path.name, columns, progress)
        return from_folder(path, columns, progress)
    _refuse_labels(labels, f"{source} isn't a folder; a table")
    if path.is_file():
        if path.suffix.lower() in TABLE_ENDINGS:
            return from_table(path, columns, progress)
        raise DataError(f"{source} is a file, but no table: expected one of {', '.join(TABLE_ENDINGS)}.")
    check_source(source)
    found = huggingface.from_dataset(huggingface.from_hub(source, split), source, columns, progress)
    if split is not None:  # only this one was loaded
        found.split = [split] * len(found.labels)
    return found


def check_source(source: str) -> None:
    """Refuse a source of which its name alone says that there is none.

    Args:
        source: What `load_images` is asked for.

    Raises:
        DataError: It is no file or folder, and can't be the id of a data set on the Hub.
    """
    if not source.strip():
        raise DataError("The data has no name: a path or the id of a data set is needed.")
    if not Path(source).expanduser().exists() and (
        not _HUB_ID.fullmatch(source) or source.lower().endswith(TABLE_ENDINGS)
    ):
        raise DataError(f"There is no file or folder {source}.")


def _refuse_labels(labels: Any, what: str) -> None:
    if labels is not None:
        raise DataError(f"{what} brings its own labels; choose the column with --label-col, not --labels.")


def find_images(source: str | Path, *, progress: Progress | None = None) -> LabeledImages:
    """Find images, whatever folders they lie in; labels aren't needed and aren't read from folder names.

    Args:
        source: A folder of images, searched to any depth; an image; or a table or data set as `load_images` reads.
        progress: Told of guesses and oddities.

    Returns:
        Images without labels, or what `load_images` gives for tables and data sets.

    Raises:
        DataError: There is no image.

    Example:
        >>> deft.AdaptedModel.load("model/").predict(find_images("photos/"))  # doctest: +SKIP
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in IMAGE_ENDINGS:
        return _files(path.parent, [str(path)])
    if not path.is_dir() or is_saved(str(path)) or any((path / name).is_file() for name in METADATA):
        return load_images(source, progress=progress)
    found = _below(path)
    if not found:
        raise DataError(f"There is no image in {show_path(str(path))}, at any depth.")
    return _files(path, found)


def _below(root: Path) -> list[str]:
    """Paths of all images below a folder, in order; hidden ones aside, and no folder twice."""
    found: list[str] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(here))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(here, name)) not in seen
        )
        images = (name for name in sorted(files) if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS)
        found.extend(os.path.join(here, name) for name in images if not name.startswith("."))
    return found


def _files(root: Path, paths: list[str]) -> LabeledImages:
    names = [show_path(os.path.relpath(path, root).replace(os.sep, "/")) for path in paths]
    problems = ((row, file_problem(path)) for row, path in enumerate(paths))
    return LabeledImages(
        reader=FileReader(tuple(paths)),
        rows=np.arange(len(paths)),
        labels=np.full(len(paths), -1, np.int64),
        classes=(),
        file_name=tuple(names),
        own_id=unique(names),
        read_errors={row: problem for row, problem in problems if problem is not None},
    )
