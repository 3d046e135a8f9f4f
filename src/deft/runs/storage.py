"""The files of a detection: a table in Parquet and CSV, and a summary in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deft.errors import DataError
from deft.files import parse_json, readable_json, replace_file, strict_json
from deft.manifest import check, replace_sealed

TABLE = "labels.parquet"

NOTES = frozenset(["classes", "settings", "info"])
COLUMNS = frozenset(
    [
        *("sample_id", "file_name", "split", "given_label_id", "predicted_label_id", "label_score", "is_clean"),
        *("topk_labels", "topk_probs", "read_error"),
    ]
)
"""What has to be there of a table that deft wrote."""

_KINDS = {
    "given_label_id": pa.int64(),
    "predicted_label_id": pa.int64(),
    "is_label_issue": pa.bool_(),
    "label_score": pa.float64(),
    "predicted_prob": pa.float64(),
    "noise_threshold": pa.float64(),
    "duplicate_group": pa.int64(),
    "duplicate_kind": pa.string(),
    "none_prob": pa.float64(),
    "prompt_margin": pa.float64(),
    "topk_labels": pa.list_(pa.string()),
    "topk_probs": pa.list_(pa.float64()),
}


def write_files(
    folder: Path,
    table: pd.DataFrame,
    more: Mapping[str, Sequence[Any] | np.ndarray],
    summary: Mapping[str, Any],
    notes: Mapping[str, Any],
) -> None:
    """Write `labels.parquet`, `labels.csv` and `summary.json`, each as a whole.

    Args:
        folder: Created if need be.
        table: One row per image.
        more: Further columns, which only the Parquet file has: what to train on (`is_clean`), contents.
        summary: What `summary.json` says.
        notes: What the Parquet schema's metadata says.
    """
    with replace_sealed(folder / TABLE) as temporary:
        stored = as_arrow(table)
        for name, values in more.items():
            stored = stored.append_column(name, pa.array(values))
        pq.write_table(stored.replace_schema_metadata({"deft": strict_json(notes, indent=None)}), temporary)
    with replace_file(folder / "labels.csv") as temporary:
        flat = table.assign(
            topk_labels=table["topk_labels"].map(lambda names: json.dumps(names, ensure_ascii=False)),
            topk_probs=table["topk_probs"].map(lambda probs: json.dumps([round(p, 6) for p in probs])),
        )
        flat.to_csv(temporary, index=False, float_format="%.6g")
    with replace_file(folder / "summary.json") as temporary:
        temporary.write_text(readable_json(summary), encoding="utf-8")


def as_arrow(table: pd.DataFrame) -> pa.Table:
    """Return a table of verdicts with the types that its columns have in every file.

    Args:
        table: One row per image.
    """
    schema = pa.schema([(name, _KINDS.get(name, pa.string())) for name in table.columns])
    return pa.Table.from_pandas(table, preserve_index=False, schema=schema)


def read_columns(folder: str | Path) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Read the columns of `labels.parquet`, and the notes in its schema's metadata.

    Raises:
        DataError: The folder holds no detection.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise DataError(f"{folder} holds no {TABLE}, so it is no run; deft detect DATA -o RUN makes one.")
    check(path)
    try:
        stored = pq.read_table(path)
        notes = parse_json((stored.schema.metadata or {}).get(b"deft", b"{}"))
        columns = {name: stored[name].to_pylist() for name in stored.column_names}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as a table: it is damaged, or none.") from error
    if not isinstance(notes, dict) or not notes.keys() >= NOTES or not columns.keys() >= COLUMNS:
        raise DataError(f"{path} is a table, but not one that deft wrote.")
    return columns, notes


def most_probable(columns: Mapping[str, Sequence[Any]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable classes, (N, k) with −1 for none, and their probabilities, (N, k) with NaN."""
    index = {name: number for number, name in enumerate(classes)}
    labels, values = columns["topk_labels"], columns["topk_probs"]
    width = max((len(row) for row in labels), default=1) or 1
    topk = np.full((len(labels), width), -1, np.int64)
    probs = np.full((len(labels), width), np.nan, np.float32)
    for row, (names, shares) in enumerate(zip(labels, values, strict=True)):
        topk[row, : len(names)] = [index[name] for name in names]
        probs[row, : len(shares)] = shares
    return topk, probs


def nullable(numbers: np.ndarray) -> pd.arrays.IntegerArray:
    """Return numbers from 0 with a missing value for −1, so that a table shows a blank."""
    return pd.arrays.IntegerArray(np.maximum(numbers, 0).astype(np.int64), mask=numbers < 0)


def group_numbers(values: Sequence[int | None] | None) -> np.ndarray | None:
    """Return numbers with −1 for None, int64; None where there is no such column."""
    return None if values is None else np.array([-1 if value is None else value for value in values], np.int64)


def places_in(names: Sequence[str | None] | None, classes: Sequence[str]) -> np.ndarray | None:
    """Return the place of each name among classes, −1 for none, int64; None where there is no such column."""
    place = {name: number for number, name in enumerate(classes)}
    return (
        None if names is None else np.array([-1 if name is None else place.get(name, -1) for name in names], np.int64)
    )


def known_floats(values: Sequence[float | None] | None) -> np.ndarray | None:
    """Return numbers with NaN for None, float32; None where there is no such column."""
    return None if values is None else floats(values)


def floats(values: Sequence[float | None]) -> np.ndarray:
    """Return numbers with NaN for None, float32."""
    return np.array([np.nan if value is None else value for value in values], np.float32)
