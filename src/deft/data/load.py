"""`load_images`: one function for every form in which people keep labelled images."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deft.data import hub
from deft.data.arrays import from_arrays
from deft.data.columns import Columns
from deft.data.folders import from_folder
from deft.data.images import LabeledImages
from deft.data.names import Classes, class_names
from deft.data.rows import Found, assemble
from deft.data.tables import TABLE_ENDINGS, from_table
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

    Raises:
        DataError: The source can't be understood; single unusable rows become `read_errors` instead.
    """
    told = Silent() if progress is None else progress
    columns = Columns(image_column, label_column, clean_column)
    names = class_names(classes)
    if isinstance(source, str | os.PathLike):
        found = _from_path(os.fspath(source), labels, columns, split, told)
    elif type(source).__module__.partition(".")[0] == "datasets":
        _refuse_labels(labels, "A data set")
        found = hub.from_dataset(source, "dataset", columns, told)
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


def _from_path(source: str, labels: Any, columns: Columns, split: str | None, progress: Progress) -> Found:
    path = Path(source).expanduser()
    if labels is not None and not isinstance(labels, str | os.PathLike):
        raise DataError("For files, labels= is the path of a table; a list of labels goes with images in memory.")
    if path.is_dir():
        if labels is not None:
            table = Path(labels).expanduser()
            if not table.is_file():
                raise DataError(f"There is no table of labels at {table}.")
            return from_table(table, columns, progress, [path])
        if hub.is_saved(str(path)):
            return hub.from_dataset(hub.from_saved(str(path)), path.name, columns, progress)
        return from_folder(path, columns, progress)
    _refuse_labels(labels, f"{source} isn't a folder; a table")
    if path.is_file():
        if path.suffix.lower() in TABLE_ENDINGS:
            return from_table(path, columns, progress)
        raise DataError(f"{source} is a file, but no table: expected one of {', '.join(TABLE_ENDINGS)}.")
    if not _HUB_ID.fullmatch(source) or source.lower().endswith(TABLE_ENDINGS):
        raise DataError(f"There is no file or folder {source}.")
    found = hub.from_dataset(hub.from_hub(source, split), source, columns, progress)
    if split is not None:  # only this one was loaded
        found.split = [split] * len(found.labels)
    return found


def _refuse_labels(labels: Any, what: str) -> None:
    if labels is not None:
        raise DataError(f"{what} brings its own labels; choose the column with --label-col, not --labels.")
