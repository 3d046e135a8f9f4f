"""The library speaks of its arguments (`label_column=`), the command line of its options (`--label-col`).

A sentence of the library names an argument by its name and an equals sign, with nothing after it. What the command
line shows of such sentences passes through `in_options`, the only place that knows both names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

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


def in_options(sentence: str) -> str:
    """Return a sentence of the library with the command line's names of arguments.

    Args:
        sentence: As an error, a note or a reason says it.

    Example:
        >>> in_options("Name one with label_column=.")
        'Name one with --label-col.'
    """
    return _NAMED.sub(lambda found: OPTIONS[found[1]], sentence)
