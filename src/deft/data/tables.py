"""CSV, TSV, lists, JSON, JSON Lines and Parquet files that list images with labels; and data frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deft.data.assemble import SourceRows
from deft.data.columns import Columns
from deft.data.joined import join
from deft.data.listed import listed, splits_of
from deft.data.names import in_order
from deft.data.parquet_tables import from_parquet
from deft.data.readers import LARGEST_FILE, FileReader, show_path
from deft.data.splits import shard_split
from deft.data.table import Table
from deft.data.table_readers import READERS
from deft.errors import DataError
from deft.homes import at_home
from deft.progress import Progress


def from_table(
    path: Path, columns: Columns, progress: Progress, folders: Sequence[Path] = (), there: Sequence[str] | None = None
) -> SourceRows:
    """Read a table of images.

    Args:
        path: The table.
        columns: What the user says about its columns.
        progress: Told of guesses.
        folders: What its paths may be relative to, besides its own folder; the first under which one of
            the first hundred files exists is taken.
        there: Paths of the images that are known to lie there.

    Raises:
        DataError: It isn't a table, or lacks a column.
    """
    if path.suffix.lower() == ".parquet":
        return from_parquet(path, columns, progress, folders, there)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path} is larger than {LARGEST_FILE >> 30} GB: write it as Parquet.")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read as a table: {error.strerror or error}.") from error
    source = show_path(str(path))
    table = read_table(source, path.suffix, data)
    return listed(path, table, settle(table, columns, source, progress), folders, there)


def read_table(source: str, ending: str, data: bytes) -> Table:
    """Read the content of a table's file.

    Args:
        source: What the table is called.
        ending: Ending of its file.
        data: Its content.

    Raises:
        DataError: It isn't a table.
    """
    read: Callable[[str, bytes], Table] = at_home(READERS[ending.lower()])
    return read(source, data)


def settle(table: Table, columns: Columns, source: str, progress: Progress) -> Columns:
    """Return a table's columns, as the user says or guessed.

    Raises:
        DataError: It has no rows, or a column can't be guessed.
    """
    if not table.columns:
        raise DataError(f"{source} is empty.")
    return columns.settle(table.columns, source, progress, table.likely)


def from_shards(paths: Sequence[Path], source: str, columns: Columns, progress: Progress) -> SourceRows:
    """Read several tables as one; a file called as a split, or `train-00000-of-00004`, is of that split.

    Args:
        paths: The tables, in order.
        source: What they are called together.
        columns: What the user says about their columns.
        progress: Told of guesses.

    Raises:
        DataError: One can't be read.
    """
    above = Path(os.path.commonpath([path.parent for path in paths]))
    parts = []
    for path in paths:
        part = from_table(path, columns, progress)
        split = shard_split(path.stem)
        if part.split is None and split is not None:
            part.split = [split] * len(part.labels)
        if not isinstance(part.reader, FileReader) and path.parent != above:  # row numbers of files of one name
            folder = show_path(path.parent.relative_to(above).as_posix())
            part.file_name = [f"{folder}/{name}" for name in part.file_name]
        parts.append(part)
    return join(parts, source)


def from_frame(frame: Any, columns: Columns, progress: Progress) -> SourceRows:
    """Read a pandas data frame; its paths are relative to the current folder.

    Args:
        frame: With a column of paths, image bytes or Pillow images, and one of labels.
        columns: What the user says about its columns.
        progress: Told of guesses.

    Raises:
        DataError: It lacks a column, or none of its files is there.
    """
    from deft.data.arrays import from_arrays

    names = [str(name) for name in frame.columns]
    table = Table(names, {name: frame.iloc[:, place].tolist() for place, name in enumerate(names)})
    settled = columns.settle(names, "The data frame", progress)
    labels = frame.iloc[:, names.index(str(settled.label))]
    if hasattr(labels, "cat"):  # a categorical has an order of its own
        table.names = [str(name) for name in labels.cat.categories]
        table.values[str(settled.label)] = [None if value != value else str(value) for value in labels.tolist()]
    cells = table.values[str(settled.image)]
    if all(cell is None or isinstance(cell, str | os.PathLike | float) for cell in cells):
        table.values[str(settled.image)] = [
            os.fspath(cell) if isinstance(cell, os.PathLike) else cell for cell in cells
        ]
        found = listed(Path("data frame"), table, settled)
        found.source = "The data frame"
        return found
    found = from_arrays(cells, table.values[str(settled.label)])
    found.source, found.labels_are = "The data frame", "cells"
    found.clean = None if settled.clean is None else table.values[settled.clean]
    found.split = splits_of(table, [])
    found.names = None if table.names is None else in_order(table.names)
    return found
