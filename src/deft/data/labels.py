"""Labels as they stand in the data: what a cell says, and which cells say nothing or several things."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deft.data.readers import show_path
from deft.errors import DataError
from deft.files import parse_json

Label = str | int | None

MISSING = frozenset(("nan", "NaN", "NAN", "-nan", "<NA>", "NaT", "None", "null", "NULL", "N/A", "n/a", "#N/A"))
"""Cells that programs write where a value is missing; read as no label, unless a class of that name is asked for."""

LONGEST_LIST = 10_000
"""Characters; a longer cell is no list of labels."""

_BLANKS = "\ufeff \t\r\n\v\f\xa0"
_WHOLE = re.compile(r"[-+]?\d{1,18}\.0*|[-+]?\d\.\d+[eE][-+]\d{1,2}")  # the second as numpy.savetxt writes them
_FRACTION = re.compile(r"[-+]?\d*\.\d+")
_SEVERAL = ("|", ";", ",")
_MAYBE_SEVERAL = re.compile(r"\s+and\s+|\s*[/+&]\s*|\s+")


@dataclass(frozen=True)
class LabelColumn:
    """What the cells of a column say.

    Args:
        values: One label per cell: text without blanks around it, an integer, or None for none.
        problems: Row to reason, of the cells whose label can't be used.
        notes: What a person should know, a sentence each.
    """

    values: list[Label]
    problems: dict[int, str]
    notes: tuple[str, ...] = ()


def read_labels(cells: Sequence[Any], known: Collection[str] = ()) -> LabelColumn:
    """Read labels from cells.

    Whole numbers are integers, also where they are written as `1.0` or `1.`. Blank cells and those of `MISSING` hold no
    label. A cell with several labels (a list, or text such as "cat|dog" whose pieces are labels of their own) can't
    be used, and says so.

    Args:
        cells: As a table or a data set holds them.
        known: Names that are classes, whatever they look like.

    Raises:
        DataError: A cell holds a picture or something else that names no class.
    """
    values: list[Label] = []
    problems: dict[int, str] = {}
    missing: Counter[str] = Counter()
    spelt: dict[str, dict[str, None]] = {}
    for row, cell in enumerate(cells):
        label = _one(cell)
        if isinstance(label, list):
            problems[row] = _several(label)
            label = None
        elif isinstance(label, str) and label in MISSING and label not in known:
            missing[label] += 1
            label = None
        elif isinstance(label, str) and isinstance(cell, str):
            spelt.setdefault(label, {})[cell] = None
        values.append(label)
    values = _integers(values)
    for row, pieces in _in_pieces(values, known).items():
        values[row] = None
        problems[row] = _several(pieces)
    notes = []
    if missing:
        said = ", ".join(f"'{text}' {count}" for text, count in missing.most_common())
        notes.append(f"Cells that say {said} are read as no label; a class of that name has to be given (classes=).")
    notes += _brought_together(spelt)
    notes += _doubts(values, known)
    return LabelColumn(values, problems, tuple(notes))


def read_names(names: Sequence[str]) -> LabelColumn:
    """Read labels from names of folders, which are what they are: never missing, never several."""
    return LabelColumn(list(names), {})


def _one(cell: Any) -> Label | list[str]:
    if cell is None or (isinstance(cell, float | np.floating) and np.isnan(cell)):
        return None
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "surrogateescape")  # other bytes are shown as \xNN, each its own
    if isinstance(cell, str):
        text = cell.strip(_BLANKS)
        text = text if text.isascii() else show_path(text)
        items = _json_list(text) if text.startswith("[") and text.endswith("]") else None
        return (text or None) if items is None else _listed(items)
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, int | np.integer):
        return int(cell)
    if isinstance(cell, float | np.floating):
        return int(cell) if float(cell).is_integer() else str(float(cell))
    if isinstance(cell, list | tuple | set | np.ndarray):
        return _listed(list(cell))
    if type(cell).__name__ in ("NAType", "NaTType"):  # pandas' own, without importing it
        return None
    raise DataError(f"A label must be text or an integer, not {type(cell).__name__} ({str(cell)[:60]}).")


def _json_list(text: str) -> list[Any] | None:
    """Return the items of a list as JSON or Python write it; None where the text is no list of labels."""
    try:
        items = parse_json(text)
    except ValueError:
        try:
            items = ast.literal_eval(text) if len(text) < LONGEST_LIST else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return items if isinstance(items, list) and all(isinstance(item, str | int) for item in items) else None


def _listed(items: list[Any]) -> Label | list[str]:
    found = [label for label in map(_one, items) if label is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return [str(label) for label in found]


def _several(pieces: Sequence[str]) -> str:
    more = f" and {len(pieces) - 5} more" if len(pieces) > 5 else ""
    return f"several labels in one cell: {', '.join(piece[:40] for piece in pieces[:5])}{more}"


def _integers(values: list[Label]) -> list[Label]:
    """Return integers for text such as `1.0`, as programs write whole numbers, if the whole column is like that."""
    texts = {value for value in values if isinstance(value, str)}
    if not texts or not all(_WHOLE.fullmatch(text) and float(text).is_integer() for text in texts):
        return values
    return [int(float(value)) if isinstance(value, str) else value for value in values]


def _doubts(values: Sequence[Label], known: Collection[str]) -> list[str]:
    """Return a sentence for each doubt whether labels are the names of classes."""
    names = {value for value in values if isinstance(value, str)} - set(known)
    notes = []
    fractions = sorted(name for name in names if _FRACTION.fullmatch(name) and not float(name).is_integer())
    if fractions and len(fractions) * 2 > len({value for value in values if value is not None}):
        notes.append(
            f"Labels are fractions ({', '.join(fractions[:3])}, ...): each different one is taken for a class."
        )
    everything = {str(value) for value in values if value is not None}
    twice = sorted(name for name in names if _WHOLE.fullmatch(name) and str(int(float(name))) in everything)
    if twice:
        listed = ", ".join(f"'{int(float(name))}' and '{name}'" for name in twice[:3])
        notes.append(f"Taken for different classes, though they are the same number: {listed}.")
    joined = sorted({name for name in names if _is_joined(name, everything)} | _combined(names))
    if joined:
        more = f" and {len(joined) - 3} more" if len(joined) > 3 else ""
        listed = ", ".join(repr(name[:60]) for name in joined[:3])
        notes.append(f"Taken for classes, though they may be several labels in one cell: {listed}{more}.")
    return notes


def _brought_together(spelt: Mapping[str, Collection[str]]) -> list[str]:
    """Return the sentence on labels that differ in the blanks around them alone, if there are any."""
    alike = [", ".join(repr(cell[:40]) for cell in list(cells)[:4]) for cells in spelt.values() if len(cells) > 1]
    if not alike:
        return []
    more = f" and {len(alike) - 5} more" if len(alike) > 5 else ""
    return [f"Read as one label, as they differ in blanks around them alone: {'; '.join(alike[:5])}{more}."]


def _combined(names: Collection[str]) -> set[str]:
    """Return names with commas that may be lists: each of their pieces stands in another one as well."""
    cut = {name: [piece.strip() for piece in name.split(",")] for name in names if "," in name}
    times = Counter(piece for pieces in cut.values() for piece in set(pieces))
    return {name for name, pieces in cut.items() if all(pieces) and all(times[piece] > 1 for piece in pieces)}


def _is_joined(name: str, others: Collection[str]) -> bool:
    """Return whether a name is put together from others: "cat dog", "cat/dog", "cat and dog"."""
    pieces = _MAYBE_SEVERAL.split(name.strip())
    return len(pieces) > 1 and all(piece in others and piece != name for piece in pieces)


def _in_pieces(values: Sequence[Label], known: Collection[str]) -> dict[int, list[str]]:
    """Return the rows whose text is several labels, with the pieces, all of which are labels of other rows."""
    counts = Counter(value for value in values if isinstance(value, str))
    found: dict[str, list[str]] = {}
    for mark in _SEVERAL:
        cut = {text: [piece.strip() for piece in text.split(mark)] for text in counts if mark in text}
        alone = {text for text in counts if text not in cut} | set(known)
        times = Counter(piece for pieces in cut.values() for piece in set(pieces))
        again = {piece for piece, number in times.items() if number > 1 and mark != ","}
        for text, pieces in cut.items():
            if text not in known and all(pieces) and all(piece in alone or piece in again for piece in pieces):
                found[text] = pieces
    return {row: found[value] for row, value in enumerate(values) if isinstance(value, str) and value in found}
