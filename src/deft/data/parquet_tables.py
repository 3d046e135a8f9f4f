"""Parquet files with paths or with the images themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.assemble import SourceRows
from deft.data.columns import Columns, split_column
from deft.data.listed import listed
from deft.data.names import in_order
from deft.data.readers import ParquetReader, one_line, show_path
from deft.data.table import Table
from deft.errors import DataError
from deft.files import parse_json
from deft.progress import Progress


def from_parquet(
    path: Path, columns: Columns, progress: Progress, folders: Sequence[Path] = (), there: Sequence[str] | None = None
) -> SourceRows:
    """Read a Parquet file.

    Args:
        path: The file.
        columns: What the user says about its columns.
        progress: Told of guesses.
        folders: What its paths may be relative to, besides its own folder.
        there: Paths of the images that are known to lie there.

    Raises:
        DataError: It can't be read, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        settled = columns.settle(schema.names, show_path(str(path)), progress)
        kind = schema.field(settled.image).type
        embedded = pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        has_path = pa.types.is_struct(kind) and "path" in [kind.field(i).name for i in range(kind.num_fields)]
        wanted = [settled.label, settled.clean, split_column(schema.names)]
        wanted += [f"{settled.image}.path" if has_path else None if embedded else settled.image]
        content = pq.ParquetFile(path).read([name for name in wanted if name is not None])
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as a Parquet file: {one_line(error).rstrip('.')}.") from error
    values = {name: content.column(name).to_pylist() for name in content.column_names}
    if not embedded:
        found = listed(path, Table(schema.names, values), settled, folders, there)
    else:
        cells = [cell and cell["path"] for cell in values[settled.image]] if has_path else []
        found = _embedded(path, values, settled, cells)
    names = _feature_names(schema.metadata, settled.label) or _categories(content.column(settled.label))
    if names is not None:
        found.names = in_order(names)
    return found


def _embedded(path: Path, values: dict[str, list[Any]], columns: Columns, cells: Sequence[str | None]) -> SourceRows:
    assert columns.image is not None
    assert columns.label is not None
    labels = values[columns.label]
    ids = [f"{show_path(path.name)}#{row}" for row in range(len(labels))]
    split = values.get(split_column(list(values)) or "")
    return SourceRows(
        source=show_path(str(path)),
        reader=ParquetReader(os.fspath(path.absolute()), columns.image, np.arange(len(labels))),
        file_name=[cell or name for cell, name in zip(cells, ids, strict=True)] if cells else ids,
        labels=labels,
        clean=None if columns.clean is None else values[columns.clean],
        split=None if split is None else ["" if name is None else str(name) for name in split],
        labels_are="cells",
    )


def _categories(column: Any) -> list[str] | None:
    """Return the categories of a column that pandas wrote as categorical, in their order."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or not column.num_chunks:
        return None
    values = column.unify_dictionaries().chunk(0).dictionary.to_pylist()
    return values if all(isinstance(value, str) for value in values) else None


def _feature_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str] | None:
    """Return the class names that Hugging Face's writer put beside the schema."""
    try:
        about = parse_json((metadata or {})[b"huggingface"])
        names = about["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None
