"""The library speaks of its arguments (`label_column=`), the command line of its options (`--label-col`).

A sentence of the library names an argument by its name and an equals sign, with nothing after it. What the command
line shows of such sentences passes through `in_options`, the only place that knows both names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import typer

OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "backbone": "--backbone",
        "classes": "--classes",
        "clean_column": "--clean-col",
        "data": "--data",
        "detector": "--detector",
        "host": "--host",
        "image_column": "--image-col",
        "label_column": "--label-col",
        "labels": "--labels",
        "max_pixels": "--max-pixels",
        "noise_rate": "--noise-rate",
        "port": "--port",
        "root": "--root",
        "split": "--split",
        "words": "--words",
    }
)
"""Options of the command line by the name of the library's argument that they set."""

_NAMED = re.compile(rf"(?<![\w./\\'\"-])({'|'.join(OPTIONS)})=(?=[\s,;:.)]|$)")  # not inside a path


_REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "int_parsing": "a whole number is needed",
        "int_from_float": "a whole number is needed",
        "float_parsing": "a number is needed",
        "greater_than_equal": "at least {ge:g} is needed",
        "greater_than": "more than {gt:g} is needed",
        "less_than_equal": "at most {le:g} is possible",
        "less_than": "less than {lt:g} is needed",
    }
)
"""What is wrong with a value, by the name that pydantic, by which typer reads values, has for it."""


def why_refused(error: typer.BadParameter) -> str:
    """Return why a value of an option isn't one, in a user's words instead of pydantic's.

    Args:
        error: As typer raised it.

    Example:
        >>> why_refused(typer.BadParameter("It must be positive."))
        'It must be positive.'
    """
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if len(found) == 1 and found[0]["type"] in _REFUSED:
        bounds = found[0].get("ctx")
        given = found[0]["input"] if bounds else repr(found[0]["input"])
        return f"{_REFUSED[found[0]['type']].format(**bounds or {})}, not {given}."
    said = error.message.removeprefix("Value error, ")
    return f"{said}{_meant(said)}"


def _meant(refused: str) -> str:
    """Return which choice was probably meant, as a sentence after the one that lists them; empty where none is near."""
    typed, are, listed = refused.partition(" is not one of ")
    near = get_close_matches(typed.strip("'"), re.findall("'([^']*)'", listed), n=1) if are else []
    return f" Did you mean {near[0]}?" if near else ""


def in_options(sentence: str) -> str:
    """Return a sentence of the library with the command line's names of arguments.

    Args:
        sentence: As an error, a note or a reason says it.

    Example:
        >>> in_options("Name one with label_column=.")
        'Name one with --label-col.'
    """
    return _NAMED.sub(lambda found: OPTIONS[found[1]], sentence)
