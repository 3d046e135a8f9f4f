"""What a console and a notebook show of a value: how it is made, with what isn't the default, and no whole arrays."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import PurePath
from typing import Any

MOST_SHOWN, LONGEST_SHOWN, DIGITS = 5, 40, 8  # entries of a list, letters of a text and of a number, that are shown


def short_repr(value: Any) -> str:
    """Return a frozen value as it is made, with those settings alone that aren't the defaults.

    An array is shown by its shape and type, a long list by its length, a long text by its end.

    Args:
        value: A dataclass.

    Example:
        >>> short_repr(Optimization(learning_rate=0.1))  # doctest: +SKIP
        'Optimization(learning_rate=0.1)'
    """
    parts = []
    for field in fields(value):
        shown = in_short(getattr(value, field.name))
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default is MISSING or shown != in_short(default):
            parts.append(f"{field.name}={shown}")
    return f"{type(value).__name__}({', '.join(parts)})"


def in_short(value: Any) -> str:
    """Return a value in a few letters: an array by its shape, many entries by their number, a long text by its end.

    Args:
        value: Anything.

    Example:
        >>> in_short((1, 2, 3, 4, 5, 6))
        '<6 entries>'
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        size = "×".join(map(str, value.shape))
        return f"<{size} {str(value.dtype).removeprefix('torch.')}>"
    if isinstance(value, (tuple, list, Mapping)) and len(value) > MOST_SHOWN:
        return f"<{len(value)} entries>"
    if isinstance(value, (str, PurePath)):
        text = str(value)
        return repr(text if len(text) <= LONGEST_SHOWN else "…" + text[1 - LONGEST_SHOWN :])
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= DIGITS else f"{value:.6g}"
    if isinstance(value, types.FunctionType):
        return value.__name__
    return repr(value)
