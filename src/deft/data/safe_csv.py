"""CSV files for spreadsheets: cells that a spreadsheet would run as formulas are made plain text.

A name of a file or of a class may come from a stranger, and `=HYPERLINK(...)` is a name like any other. An apostrophe
before it keeps a spreadsheet from running it, and changes the cell for every other reader; so it is done on request.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from deft.files import replace_file

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that a spreadsheet may run."""


def neutral_cell(cell: str) -> str:
    """Return a cell that no spreadsheet runs: with an apostrophe before it, if it would; numbers stay.

    Args:
        cell: Its text.

    Example:
        >>> neutral_cell("=1+1"), neutral_cell("-0.5"), neutral_cell("cat")
        ("'=1+1", '-0.5', 'cat')
    """
    if not cell.startswith(STARTS):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def neutral_csv(text: str) -> str:
    """Return a CSV with all its cells neutral.

    Args:
        text: The CSV.
    """
    made = io.StringIO()
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        csv.writer(made).writerows([neutral_cell(cell) for cell in row] for row in rows)
    finally:
        csv.field_size_limit(limit)
    return made.getvalue()


def neutralise(path: Path) -> None:
    """Make all cells of a CSV file neutral.

    Args:
        path: The file, which is replaced as a whole.
    """
    text = path.read_bytes().decode("utf-8")
    with replace_file(path) as temporary:
        temporary.write_text(neutral_csv(text), encoding="utf-8", newline="")
