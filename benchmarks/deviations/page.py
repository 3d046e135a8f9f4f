"""From the list of deviations and their numbers to the sections of the pages."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Measured:
    """What a measure found.

    Args:
        numbers: By what they are of; a list holds one for each seed.
        made: By what they were made: hash of the code, commit, machine, versions and date.
    """

    numbers: Mapping[str, float | list[float]]
    made: Mapping[str, Any]


def read_results(place: Path = RESULTS) -> dict[str, Measured]:
    """Return what was measured, by the measures' names; nothing if there is no such file."""
    found = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    return {name: Measured(**one) for name, one in found.items()}


def write_results(place: Path, found: Mapping[str, Measured]) -> None:
    """Write what was measured, by name."""
    plain = {name: {"numbers": found[name].numbers, "made": found[name].made} for name in sorted(found)}
    place.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def made_by(found: Mapping[str, Measured]) -> str:
    """Return a sentence on the code and the machines that made the numbers; what other code made is named."""
    by_code: dict[str, list[str]] = defaultdict(list)
    for name, one in sorted(found.items()):
        by_code[one.made["code"]].append(name)
    most, *others = sorted(by_code, key=lambda code: len(by_code[code]), reverse=True)
    commits = {one.made["code"]: one.made["commit"] for one in found.values()}
    where = {
        f"a machine with {one.made['machine']['cores']} cores (Python {one.made['machine']['python']}, "
        f"torch {one.made['versions']['torch']})"
        for one in found.values()
    }
    told = f"Made by code {most} (commit {commits[most]}), with one thread of {' and '.join(sorted(where))}"
    rest = [f"{', '.join(by_code[code])} by {code} (commit {commits[code]})" for code in others]
    return f"{told}; {'; '.join(rest)}." if rest else f"{told}."


def deviations() -> dict[str, list[str]]:
    """Return the deviations of each method and detector by its name, as text with numbers."""
    listed: dict[str, Any] = tomllib.loads(LIST.read_text(encoding="utf-8"))
    values = {
        f"{name}.{key}": shown(value) for name, one in read_results().items() for key, value in one.numbers.items()
    }
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
