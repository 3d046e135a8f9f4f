"""How files of tables are read; adding a format is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

READERS: Mapping[str, str] = {
    ".csv": "deft.data.delimited:read_delimited",
    ".tsv": "deft.data.delimited:read_delimited",
    ".txt": "deft.data.delimited:read_delimited",
    ".lst": "deft.data.delimited:read_delimited",
    ".json": "deft.data.json_tables:read_json",
    ".jsonl": "deft.data.json_tables:read_json_lines",
    ".ndjson": "deft.data.json_tables:read_json_lines",
}
"""Ending to `module:function` of what makes a `Table` of a file's name and bytes; Parquet is read piece by piece."""
