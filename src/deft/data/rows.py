"""What columns with one value per image must be, and how some of their rows are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from deft.data.readers import IntArray
from deft.errors import DataError

T = TypeVar("T")
Mask = npt.NDArray[np.bool_]


def integers(values: npt.ArrayLike, name: str, count: int, low: int, high: int) -> IntArray:
    """Return whole numbers, int64 (count,), from low to high - 1.

    Raises:
        DataError: They have another shape, type or range; `name` is what they are called.
    """
    array = np.asarray(values)
    if array.shape != (count,):
        raise DataError(f"{name} has shape {array.shape}, expected ({count},).")
    if array.size and array.dtype.kind not in "iu":
        raise DataError(f"{name} must be integers, not {array.dtype}.")
    result = array.astype(np.int64)
    if result.size and not (result.min() >= low and result.max() < high):
        raise DataError(f"{name} has values from {result.min()} to {result.max()}, expected {low} to {high - 1}.")
    return result


def mask(values: npt.NDArray[Any], count: int) -> Mask:
    """Return truth values, bool (count,); nobody is trusted where none are given.

    Raises:
        DataError: They have another shape or type.
    """
    if not len(values):
        return np.zeros(count, np.bool_)
    if values.shape != (count,) or values.dtype != np.bool_:
        raise DataError(f"trusted must be {count} truth values, not {values.dtype} of shape {values.shape}.")
    return values


def pick(values: tuple[T, ...], rows: Iterable[int]) -> tuple[T, ...]:
    """Return the values of these rows."""
    return tuple(values[row] for row in rows)


def pick_known(values: tuple[T, ...] | None, rows: Iterable[int]) -> tuple[T, ...] | None:
    """Return the values of these rows, where there are any."""
    return None if values is None else pick(values, rows)


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with "#2", "#3", ... behind those that come again."""
    taken = set(names)
    seen: set[str] = set()
    times: dict[str, int] = {}
    result = []
    for name in names:
        new = name
        while name in seen and new in taken:
            times[name] = times.get(name, 1) + 1
            new = f"{name}#{times[name]}"
        seen.add(name)
        taken.add(new)
        result.append(new)
    return tuple(result)


def feed(digest: blake2b, texts: Sequence[str]) -> None:
    """Put texts into a digest so that no two lists are the same there."""
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "little") + data)


def chosen_rows(chosen: npt.NDArray[Any], count: int) -> IntArray:
    """Return row numbers, from a mask over all rows or from the numbers themselves.

    Raises:
        DataError: The mask has another length, or a row isn't there or is named twice.
    """
    if chosen.ndim != 1:
        raise DataError(f"keep wants one value per image or a list of rows, not shape {chosen.shape}.")
    if chosen.dtype == np.bool_:
        if len(chosen) != count:
            raise DataError(f"The mask has {len(chosen)} values for {count} images.")
        return np.flatnonzero(chosen).astype(np.int64)
    if not len(chosen):
        return np.zeros(0, dtype=np.int64)
    index = integers(chosen, "rows to keep", len(chosen), 0, count)
    if len(np.unique(index)) != len(index):
        raise DataError("A row to keep is named twice.")
    return index


def as_spelt(names: Sequence[str | None], given: Sequence[str | None], cells: Sequence[Any]) -> list[Any]:
    """Return labels as cells: an unchanged one as it is, another as most cells of its class are.

    Args:
        names: Class of each row.
        given: Class of each row in the data.
        cells: What stands in the data.
    """
    usual: dict[str, Counter[str]] = {}
    cell_of = {repr(cell): cell for cell in cells}  # a cell may be a list, which nothing can be counted by
    for name, cell in zip(given, cells, strict=True):
        if name is not None:
            usual.setdefault(name, Counter())[repr(cell)] += 1
    written = {name: cell_of[found.most_common(1)[0][0]] for name, found in usual.items()}
    rows = zip(names, given, cells, strict=True)
    return [cell if name == was else None if name is None else written.get(name, name) for name, was, cell in rows]
