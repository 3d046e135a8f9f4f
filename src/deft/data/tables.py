"""CSV, TSV, JSON-lines and Parquet files that list images with labels."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.assemble import SourceRows
from deft.data.names import in_order
from deft.data.readers import FileReader, ParquetReader, file_problem, one_line, show_path
from deft.errors import DataError
from deft.progress import Progress

IMAGE_COLUMNS = ("image", "img", "file_name", "filename", "filepath", "path", "image_path")
"""Names under which a column is taken to hold the images or their paths, in any case."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "given_label")
"""Names under which a column is taken to hold the labels, in any case."""

SPLIT_COLUMN = "split"
"""The column that, where there is one, tells which split a row belongs to."""


@dataclass(frozen=True)
class Columns:
    """What the user says about columns; None is to be guessed.

    Args:
        image: The column with the images or their paths.
        label: The column with the labels.
        clean: The column with the true labels, if there is one; never guessed.
    """

    image: str | None = None
    label: str | None = None
    clean: str | None = None

    def settle(self, there: Sequence[str], source: str, progress: Progress) -> Columns:
        """Return the columns of a table that has the columns `there`.

        Raises:
            DataError: One that was named isn't there, or one can't be guessed.
        """
        image = _settle(self.image, there, IMAGE_COLUMNS, ("image", "--image-col", source))
        label = _settle(self.label, there, LABEL_COLUMNS, ("label", "--label-col", source))
        if self.clean is not None:
            _settle(self.clean, there, (), ("true label", "--clean-col", source))
        guesses = []
        if self.image is None:
            guesses.append(f"images from column '{image}' (--image-col)")
        if self.label is None:
            guesses.append(f"labels from column '{label}' (--label-col)")
        if guesses:
            progress.note(f"{source}: taking {' and '.join(guesses)}.")
        return Columns(image, label, self.clean)


def _settle(named: str | None, there: Sequence[str], known: Sequence[str], words: tuple[str, str, str]) -> str:
    kind, option, source = words
    columns = ", ".join(there) or "(none)"
    if named is not None:
        if named in there:
            return named
        raise DataError(f"{source} has no column '{named}' for {option}; its columns are: {columns}.")
    found = [column for column in there if column.strip().casefold() in known]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{source} has several columns that may hold the {kind}: {', '.join(found)}; its columns are: "
            f"{columns}. Choose one with {option}."
        )
    raise DataError(
        f"{source} has no column that is known to hold the {kind} ({', '.join(known)}); "
        f"its columns are: {columns}. Name one with {option}."
    )


TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
"""Endings of the files that are read as tables."""

DELIMITERS = ",\t;|"
"""What may stand between the fields of a CSV file; the one that cuts the header into most pieces is taken."""


@dataclass
class _Table:
    columns: list[str]
    values: dict[str, list[Any]]


def from_table(path: Path, columns: Columns, progress: Progress, folders: Sequence[Path] = ()) -> SourceRows:
    """Read a table of images.

    Args:
        path: The table.
        columns: What the user says about its columns.
        progress: Told of guesses.
        folders: What its paths may be relative to, besides its own folder; the first under which one of
            the first hundred files exists is taken.

    Raises:
        DataError: It isn't a table, or lacks a column.
    """
    if path.suffix.lower() == ".parquet":
        return _from_parquet(path, columns, progress, folders)
    read = _read_jsonl if path.suffix.lower() in (".jsonl", ".ndjson") else _read_csv
    try:
        table = read(path)
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} can't be read as a table: {one_line(error)}.") from error
    settled = columns.settle(table.columns, show_path(str(path)), progress)
    return _listed(path, table, settled, folders)


def _listed(path: Path, table: _Table, columns: Columns, folders: Sequence[Path]) -> SourceRows:
    """Rows whose images are files: the image column holds paths."""
    assert columns.image is not None
    assert columns.label is not None
    cells = ["" if cell is None else str(cell).strip() for cell in table.values[columns.image]]
    base = _base([*folders, path.parent], cells)
    paths = tuple(os.path.normpath(os.path.join(base, cell)) if cell else "" for cell in cells)
    problems = ((row, file_problem(name)) for row, name in enumerate(paths))
    split = table.values.get(SPLIT_COLUMN)
    return SourceRows(
        source=show_path(str(path)),
        reader=FileReader(paths),
        file_name=[
            show_path(os.path.normpath(cell)) if cell else f"{show_path(path.name)}#{row}"
            for row, cell in enumerate(cells)
        ],
        labels=table.values[columns.label],
        clean=None if columns.clean is None else table.values[columns.clean],
        split=None if split is None else ["" if name is None else str(name) for name in split],
        errors={row: problem for row, problem in problems if problem is not None},
    )


def _base(folders: Sequence[Path], cells: Sequence[str]) -> str:
    for folder in folders[:-1]:
        if any(cell and os.path.lexists(folder / cell) for cell in cells[:100]):
            return os.fspath(folder)
    own = folders[-1]
    there = any(cell and os.path.lexists(own / cell) for cell in cells[:100])
    return os.fspath(own if there else folders[0])


def _read_csv(path: Path) -> _Table:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    header = text.split("\n", 1)[0].rstrip("\r")
    delimiter = max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = [name.strip() for name in next(lines, [])]
    if len(set(columns)) != len(columns):
        raise DataError(f"{path} has two columns of one name: {', '.join(columns)}.")
    rows: list[list[str | None]] = []
    for fields in lines:
        if not fields:
            continue
        if len(fields) > len(columns):
            raise DataError(f"Line {lines.line_num} of {path} has {len(fields)} fields, its header {len(columns)}.")
        rows.append([*fields, *[None] * (len(columns) - len(fields))])
    return _Table(columns, {name: [row[place] for row in rows] for place, name in enumerate(columns)})


def _read_jsonl(path: Path) -> _Table:
    rows: list[dict[str, Any]] = []
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"Line {number} of {path} isn't JSON: {error}.") from error
        if not isinstance(row, dict):
            raise DataError(f"Line {number} of {path} isn't a JSON object.")
        rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _Table(columns, {name: [row.get(name) for row in rows] for name in columns})


def _from_parquet(path: Path, columns: Columns, progress: Progress, folders: Sequence[Path]) -> SourceRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        settled = columns.settle(schema.names, show_path(str(path)), progress)
        kind = schema.field(settled.image).type
        embedded = pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        has_path = pa.types.is_struct(kind) and "path" in [kind.field(i).name for i in range(kind.num_fields)]
        wanted = [settled.label, settled.clean, SPLIT_COLUMN if SPLIT_COLUMN in schema.names else None]
        wanted += [f"{settled.image}.path" if has_path else None if embedded else settled.image]
        content = pq.ParquetFile(path).read([name for name in wanted if name is not None])
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as a Parquet file: {one_line(error)}.") from error
    values = {name: content.column(name).to_pylist() for name in content.column_names}
    if not embedded:
        found = _listed(path, _Table(schema.names, values), settled, folders)
    else:
        cells = [cell and cell["path"] for cell in values[settled.image]] if has_path else []
        found = _embedded(path, values, settled, cells)
    names = _feature_names(schema.metadata, settled.label)
    if names is not None:
        found.names = in_order(names)
    return found


def _embedded(path: Path, values: dict[str, list[Any]], columns: Columns, cells: Sequence[str | None]) -> SourceRows:
    assert columns.image is not None
    assert columns.label is not None
    labels = values[columns.label]
    ids = [f"{show_path(path.name)}#{row}" for row in range(len(labels))]
    split = values.get(SPLIT_COLUMN)
    return SourceRows(
        source=show_path(str(path)),
        reader=ParquetReader(os.fspath(path.absolute()), columns.image, np.arange(len(labels))),
        file_name=[cell or name for cell, name in zip(cells, ids, strict=True)] if cells else ids,
        labels=labels,
        clean=None if columns.clean is None else values[columns.clean],
        split=None if split is None else ["" if name is None else str(name) for name in split],
        sample_id=ids,
    )


def _feature_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str] | None:
    """Return the class names that Hugging Face's writer put beside the schema."""
    try:
        about = json.loads((metadata or {})[b"huggingface"])
        names = about["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None
