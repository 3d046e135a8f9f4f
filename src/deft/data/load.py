"""`load_images`: one function for every form in which people keep labelled images."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deft.arguments import checked, said
from deft.data import huggingface
from deft.data.archives import archive_tree
from deft.data.arrays import from_arrays
from deft.data.assemble import SourceRows, assemble
from deft.data.columns import Columns
from deft.data.endings import ARCHIVE_ENDINGS, TABLE_ENDINGS, is_image
from deft.data.huggingface import is_saved
from deft.data.images import LabeledImages
from deft.data.names import Classes, class_names
from deft.data.readers import FileReader, file_problem, show_path
from deft.data.remote import remote_tree, scheme_of
from deft.data.sources import check_source, from_name, from_paths, refuse_labels
from deft.data.tables import from_frame
from deft.data.tree import Tree, folder_tree
from deft.data.tree_tables import METADATA
from deft.data.words import Words
from deft.errors import DataError
from deft.progress import Progress, Silent


@checked
def load_images(
    source: Any,
    *,
    labels: Sequence[Any] | np.ndarray[Any, Any] | str | os.PathLike[str] | None = None,
    classes: Classes | None = None,
    words: Words | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    clean_column: str | None = None,
    least_classes: int = 2,
    progress: Progress | None = None,
) -> LabeledImages:
    """Find images and their labels; nothing is decoded, and nothing is written.

    Args:
        source: A folder in one of the layouts of docs/data.md (class folders, splits, a table, shards, FiftyOne's
            export); a zip or tar file of one; a table (CSV, TSV, list, JSON, JSON Lines, Parquet) with a column of
            paths, relative to the table, or of image bytes; a pattern or a list of tables or WebDataset shards; a
            `datasets.Dataset`, a folder of `save_to_disk` or an id on the Hugging Face Hub; a pandas data frame; a
            uint8 array (N, H, W[, 3]); a list of Pillow images, or of paths of images.
        labels: A table of labels for a folder of images; or, for images in memory or by their paths, one label each.
        classes: The classes: names in order of their integer labels; or a mapping of integer labels to names, or of
            names as the data has them to words; or a file of one of these (`class_names`).
        words: What a model is to read for the classes: a text for each, in order, or by name, or a file of either.
            Names stay as the data has them. Made from the names if not given.
        split: Only the rows of this split.
        image_column: The table's column with images or paths; guessed from `IMAGE_COLUMNS` if not named.
        label_column: The table's column with labels; guessed from `LABEL_COLUMNS` if not named.
        clean_column: The table's column with true labels, where they are known; for scoring only.
        least_classes: Data with fewer classes are refused, since labels are judged against each other; a part of much
            data, for a detector that has learned, may have one.
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
    labels = _as_list(labels)
    columns = Columns(image_column, label_column, clean_column)
    names = class_names(classes)
    found = _rows(source, labels, columns, split, told)
    images = assemble(found, names, split, told, words, least_classes)
    beside = {"labels": labels, "classes": classes, "words": words}
    return replace(images, origin=_origin(source, {**beside, **vars(columns)}, split))


def _as_list(labels: Any) -> Any:
    """Return labels of an array, a tensor or a series as a list; what isn't one label per image is refused."""
    if labels is None or isinstance(labels, str | os.PathLike):
        return labels
    found = labels.tolist() if hasattr(labels, "tolist") else labels
    if not isinstance(found, Sequence) or isinstance(found, bytes):
        raise DataError(f"labels= takes one label per image, not {said(labels)}.")
    return found


def _origin(source: Any, asked: dict[str, Any], split: str | None) -> dict[str, str] | None:
    """Return by what images are found again; None where not all of it is names and paths."""
    given = {"data": source, "split": split, **asked}
    given = {name: value for name, value in given.items() if value is not None}
    if not all(isinstance(value, str | os.PathLike) for value in given.values()):
        return None
    names = {"image": "image_column", "label": "label_column", "clean": "clean_column"}
    return {names.get(name, name): os.fspath(value) for name, value in given.items()}


def _rows(source: Any, labels: Any, columns: Columns, split: str | None, progress: Progress) -> SourceRows:
    if isinstance(source, str | os.PathLike):
        return from_name(os.fspath(source), labels, columns, split, progress)
    library = type(source).__module__.partition(".")[0]
    if library == "datasets":
        refuse_labels(labels, "A data set")
        return huggingface.from_dataset(source, "dataset", columns, progress)
    if library == "pandas":
        refuse_labels(labels, "A data frame")
        return from_frame(source, columns, progress)
    if isinstance(source, np.ndarray | Sequence) and not isinstance(source, bytes):
        if len(source) and all(isinstance(item, str | os.PathLike) for item in source):
            if labels is not None and not isinstance(labels, str | os.PathLike) and is_image(os.fspath(source[0])):
                return _labelled_files(source, labels, progress)
            refuse_labels(labels, "A list of tables")
            return from_paths(list(source), f"The list of {len(source)} files", columns, progress)
        if labels is None or isinstance(labels, str | os.PathLike):
            raise DataError("Images in memory need labels=, with one label per image.")
        return from_arrays(source, labels)
    raise DataError(
        f"Images can't be loaded from a {type(source).__name__}: expected a path, a Hub id, a datasets.Dataset, a "
        "pandas data frame, a uint8 array or a list of Pillow images."
    )


def _labelled_files(paths: Any, labels: Any, progress: Progress) -> SourceRows:
    """Return images by their paths, relative to the current folder, with one label each."""
    import pandas as pd

    if len(labels) != len(paths):
        raise DataError(f"There are {len(labels)} labels for {len(paths)} images.")
    table = pd.DataFrame({"image": list(paths), "label": list(labels)})
    found = from_frame(table, Columns("image", "label"), progress)
    found.source = f"The list of {len(paths)} files"
    return found


@checked
def find_images(source: str | Path, *, progress: Progress | None = None) -> LabeledImages:
    """Find images in a folder, at any depth; labels aren't needed and aren't read from folder names.

    Args:
        source: A folder or an archive of images, searched to any depth; an image, or a pattern of images; or a table or
            data set that `load_images` reads.
        progress: Told of guesses and oddities.

    Returns:
        Images without labels, or what `load_images` gives for tables and data sets.

    Raises:
        DataError: There is no image.

    Example:
        >>> deft.AdaptedModel.load("model/").predict(find_images("photos/"))  # doctest: +SKIP
    """
    if not str(source):
        raise DataError("The data has no name: the path given is empty. The current folder is '.'.")
    if scheme_of(str(source)) is not None and not str(source).lower().endswith(TABLE_ENDINGS):
        return _in_store(str(source))
    path = Path(source).expanduser()
    if path.is_file() and is_image(path.name):
        return _files(path.parent, [str(path)])
    if path.is_file() and path.suffix.lower() in ARCHIVE_ENDINGS:
        return _in_tree(archive_tree(path), show_path(str(path)))
    if glob.has_magic(str(source)) and not path.exists():
        names = [name for name in sorted(glob.glob(str(path), recursive=True)) if is_image(name)]
        if names:
            return _files(Path(os.path.commonpath([os.path.dirname(name) for name in names])), names)
    if not path.is_dir() or is_saved(str(path)) or any((path / name).is_file() for name in METADATA):
        return load_images(source, progress=progress, least_classes=0)
    tree = folder_tree(path)
    if not tree.images:
        raise DataError(f"There is no image in {show_path(str(path))}, at any depth.")
    return _files(path, [os.path.join(path, name) for name in tree.images])


def _in_store(address: str) -> LabeledImages:
    check_source(address)
    return _in_tree(remote_tree(address), address)


def _in_tree(tree: Tree, where: str) -> LabeledImages:
    if not tree.images:
        raise DataError(f"There is no image in {where}, at any depth.")
    problems = ((row, tree.problem(name)) for row, name in enumerate(tree.images))
    return LabeledImages(
        reader=tree.reader(tree.images),
        rows=np.arange(len(tree.images)),
        labels=np.full(len(tree.images), -1, np.int64),
        classes=(),
        file_name=tuple(map(show_path, tree.images)),
        read_errors={row: problem for row, problem in problems if problem is not None},
    )


def _files(root: Path, paths: list[str]) -> LabeledImages:
    names = [show_path(os.path.relpath(path, root).replace(os.sep, "/")) for path in paths]
    problems = ((row, file_problem(path)) for row, path in enumerate(paths))
    return LabeledImages(
        reader=FileReader(tuple(paths)),
        rows=np.arange(len(paths)),
        labels=np.full(len(paths), -1, np.int64),
        classes=(),
        file_name=tuple(names),
        read_errors={row: problem for row, problem in problems if problem is not None},
    )
