"""A table that was read, whatever its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Table:
    """Columns of equal length.

    Args:
        columns: Their names.
        values: Their cells, by name.
        lines: Number of the line that each row stands on, where it has one.
        likely: Columns of images and of labels by what is in them, where there is no header.
        below: Folders below the table's own in which its files may lie.
        names: Class names that the table itself settles, in order.
        notes: What a person should know of how it was read, a sentence each.
    """

    columns: list[str]
    values: dict[str, list[Any]]
    lines: list[int] = field(default_factory=list)
    likely: tuple[str | None, str | None] = (None, None)
    below: tuple[str, ...] = ()
    names: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    def place(self, row: int) -> str:
        """Return where a row stands, for people."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"


def from_records(records: list[dict[str, Any]], lines: list[int] | None = None) -> Table:
    """Return a table of rows that name their columns; None where a row lacks one."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    return Table(columns, {name: [record.get(name) for record in records] for name in columns}, lines or [])
