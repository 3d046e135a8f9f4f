"""Rows of a table whose images are files: their paths are found, and what is missing is said with line and path."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from deft.data.assemble import SourceRows
from deft.data.columns import Columns, split_column
from deft.data.located import Located, is_address, locate, served_path, shown_name
from deft.data.names import in_order
from deft.data.readers import FileReader, show_path
from deft.data.splits import is_split
from deft.data.table import Table
from deft.errors import DataError
from deft.wording import counted, noun

MISSING = "file not found"

LONGEST = 300
"""Characters of a path that a sentence shows."""


def listed(
    path: Path, table: Table, columns: Columns, folders: Sequence[Path] = (), there: Sequence[str] | None = None
) -> SourceRows:
    """Return the rows of a table whose image column holds paths.

    Args:
        path: The table.
        table: Its content.
        columns: Its columns, settled.
        folders: What its paths may be relative to, before its own folder.
        there: Paths of the images that are known to lie there.

    Raises:
        DataError: None of its files is there; with the line and the full path of the first.
    """
    assert columns.image is not None
    assert columns.label is not None
    cells = ["" if cell is None or cell != cell else str(cell).strip() for cell in table.values[columns.image]]
    cells = list(map(served_path, cells))
    own = [*folders, path.parent]
    found = locate(cells, [*own, *(folder / name for folder in own for name in table.below)], there)
    notes = [*table.notes, *_missing(show_path(str(path)), table, cells, found)]
    if found.several:
        notes.append(several_fit(show_path(str(path)), table, cells, found.several))
    if found.otherwise:
        notes.append(
            f"{counted(found.otherwise, 'file')} of {show_path(str(path))} "
            f"{noun(found.otherwise, 'is', 'are')} found under another spelling of the path (path marks, Unicode form, "
            "case, ending, or root)."
        )
    if found.scattered:
        notes.append(
            f"{counted(found.scattered, 'file')} of {show_path(str(path))} "
            f"{noun(found.scattered, 'is', 'are')} found by the bare name, the only one of that name, in folders below."
        )
    return SourceRows(
        source=show_path(str(path)),
        reader=FileReader(found.paths),
        file_name=[shown_name(cell) if cell else f"{show_path(path.name)}#{row}" for row, cell in enumerate(cells)],
        labels=table.values[columns.label],
        clean=None if columns.clean is None else table.values[columns.clean],
        split=splits_of(table, cells),
        errors=found.problems,
        names=None if table.names is None else in_order(table.names),
        labels_are="cells",
        notes=notes,
    )


def splits_of(table: Table, cells: Sequence[str]) -> list[str] | None:
    """Return the split of each row: from the column of that name, or where all paths begin with a split's folder."""
    column = table.values.get(split_column(table.columns) or "")
    if column is not None:
        return ["" if name is None else show_path(str(name)) for name in column]
    tops = [cell.replace("\\", "/").removeprefix("./").split("/") for cell in cells if cell]
    if tops and all(len(parts) > 1 and is_split(parts[0]) for parts in tops) and len(tops) == len(cells):
        return [parts[0] for parts in tops]
    return None


def several_fit(source: str, table: Table, cells: Sequence[str], several: Mapping[int, Sequence[str]]) -> str:
    """Return a sentence on names that several files fit, of which none is taken.

    Args:
        source: What the table is called.
        table: It says where a row stands.
        cells: What its rows say.
        several: Row to the files that fit; at least one row.
    """
    first = min(several)
    fit = sorted(several[first])
    short = [os.path.basename(one) for one in fit]
    files = ", ".join(map(show_path, (short if len(set(short)) == len(short) else fit)[:3]))
    more = ", ..." if len(fit) > 3 else ""
    return (
        f"{counted(len(several), 'name')} of {source} {noun(len(several), 'fits', 'fit')} several files, and none is "
        f"taken: {_short(show_path(cells[first]))!r} on {table.place(first)} may be {files}{more}. Write names out."
    )


def _missing(source: str, table: Table, cells: Sequence[str], found: Located) -> list[str]:
    rows = [
        row
        for row, path in enumerate(found.paths)
        if row in found.problems and row not in found.several and path and not os.path.lexists(path)
    ]
    named = sum(1 for cell in cells if cell)
    if found.several and len(found.several) == named:
        raise DataError(several_fit(source, table, cells, found.several))
    if not rows:
        return []
    first = rows[0]
    away = [row for row in rows if is_address(cells[row])]
    tried = cells[first] if is_address(cells[first]) else os.path.abspath(found.paths[first])
    where = f"the first on {table.place(first)}: {_short(show_path(tried))}"
    if len(away) == named:
        raise DataError(
            f"None of the {named} files that {source} names is on this machine: they are addresses, which aren't read "
            f"in place ({where}). Copy them here, and name the copies."
        )
    if len(rows) == named:
        raise DataError(f"None of the {named} files that {source} names is there; {where}.")
    are = noun(len(rows), "is", "are")
    return [f"{len(rows)} of the {named} files that {source} names {are} not there; {where}."]


def _short(path: str) -> str:
    return path if len(path) <= LONGEST else f"{path[:LONGEST]}... ({len(path)} characters)"
