"""From the list of deviations and their numbers to the sections of the pages."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from textwrap import fill
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "deviations.json"
LIST = HERE / "deviations.toml"
TITLE = "Where it differs from the authors' code"
NONE_KNOWN = "None known."
PLACE = re.compile(r"\{([\w-]+\.\w+)\}")


def deviations() -> dict[str, list[str]]:
    """Return the deviations of each method and detector by its name, as text with numbers."""
    listed: dict[str, Any] = tomllib.loads(LIST.read_text(encoding="utf-8"))
    numbers = json.loads(RESULTS.read_text(encoding="utf-8"))
    values = {f"{name}.{key}": shown(value) for name, measured in numbers.items() for key, value in measured.items()}
    return {owner: [_filled(text, values) for text in one["differs"]] for owner, one in listed.items()}


def listed(texts: Sequence[str]) -> list[str]:
    """Return the lines of a section's body.

    Args:
        texts: The deviations; none if none is known.
    """
    if not texts:
        return [NONE_KNOWN]
    return [
        fill(f"- {text}", 120, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False) for text in texts
    ]


def shown(value: float | list[float]) -> str:
    """Return a number as pages show it: shares of several seeds in per cent, with their deviation.

    Args:
        value: One number, or one for each seed.
    """
    if isinstance(value, list):
        return f"{100 * mean(value):.1f} ± {100 * stdev(value):.1f}"
    return f"{value:,.0f}" if value >= 1000 else f"{value + 0.0:.3g}"  # no -0


def _filled(text: str, values: dict[str, str]) -> str:
    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise KeyError(
                f"{place[1]} isn't in {RESULTS.name}: python -m benchmarks.deviations --data DATA --photos PHOTOS"
            )
        return values[place[1]]

    return " ".join(PLACE.sub(value, text).split())
