"""Numbers and long names as a person reads them."""

from __future__ import annotations

import math

from deft.wording import noun


def short(text: str, length: int) -> str:
    """Return text of at most so many characters; the middle gives way, since names often differ at their ends.

    Example:
        >>> short("golden retriever", 10)
        'golde…ever'
    """
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def count(number: float) -> str:
    r"""Return a count with a thin gap between thousands.

    Example:
        >>> count(12345)
        '12\u202f345'
    """
    return f"{round(number):,}".replace(",", "\u202f")


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share; a dash where it is undefined."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}\u00a0%"


def score(value: float) -> str:
    """Return a score from 0 to 1, small ones no longer than others."""
    return "< 0.0001" if 0 < value < 0.0001 else f"{value:.{4 if value < 0.01 else 3}f}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return a count with its noun."""
    return f"{count(number)} {noun(number, one, many)}"
