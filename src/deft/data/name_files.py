"""Files of class names or words: one a line, an id and a name a line, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from deft.data.readers import show_path
from deft.errors import DataError

LARGEST = 1 << 26
"""Bytes; a larger file holds no names."""

_WORDNET = re.compile(r"n\d{8}")


def read_names(path: Path) -> Sequence[str] | Mapping[str, str]:
    """Read names in order, or a mapping of ids to names.

    Args:
        path: A text file with one name per line; or with `id<TAB>name` (or a WordNet id, a blank and a name) on
            every line; or JSON: a list, or a mapping from id to name.

    Raises:
        DataError: It can't be read, or a line is blank.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is too large for a file of class names.")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The class names in {path} can't be read: the file isn't text in UTF-8.") from error
    except OSError as error:
        raise DataError(f"The class names in {path} can't be read: {error.strerror or error}.") from error
    if path.suffix == ".json":
        return _from_json(path, text)
    lines = text.rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise DataError(f"Line {number} of {path} is blank: every line must name a class.")
    for separator in ("\t", " "):
        pairs = [line.strip().split(separator, 1) for line in lines]
        coded = separator == "\t" or all(_WORDNET.fullmatch(pair[0]) for pair in pairs)
        if pairs and coded and all(len(pair) == 2 for pair in pairs):
            return _mapping(path, [(key.strip(), name.strip()) for key, name in pairs])
    return [line.strip() for line in lines]


def _mapping(path: Path, pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    names: dict[str, str] = {}
    for number, (key, name) in enumerate(pairs, start=1):
        if names.setdefault(key, name) != name:
            raise DataError(f"Line {number} of {path} gives {key!r} another name than a line before.")
    return names


def _from_json(path: Path, text: str) -> Sequence[str] | Mapping[str, str]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"The class names in {path} can't be read: {error}.") from error
    if isinstance(value, dict | list) and all(
        isinstance(name, str) for name in (value.values() if isinstance(value, dict) else value)
    ):
        if isinstance(value, list):
            return [show_path(name) for name in value]
        return {show_path(key): show_path(name) for key, name in value.items()}
    raise DataError(f"{path} must be a list of names or a mapping from id to name.")
