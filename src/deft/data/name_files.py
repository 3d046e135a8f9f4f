"""Files of class names or words: one a line, an id and a name a line, or JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deft.data.readers import show_path
from deft.errors import DataError
from deft.files import parse_json

LARGEST = 1 << 26
"""Bytes; a larger file holds no names."""

_WORDNET = re.compile(r"n\d{8}")
_CODE = re.compile(r"[^\W\d_]{0,3}[-_ ]?\d+")
_CODE_FIRST = re.compile(rf"({_CODE.pattern})\s*[:,;=\s]\s*(\S.*)")
_NUMBER_FIRST = re.compile(r"(\d{1,6})\s*[:,;\s]\s*(\S.*)")
_NUMBER_LAST = re.compile(r"(\S.*?)\s*[,;\t]\s*(\d{1,6})")


def read_names(path: Path, codes: Sequence[str] = ()) -> Sequence[str] | Mapping[str, str]:
    """Read names in order, or a mapping of ids to names.

    Args:
        path: A text file with one name per line; or with `id<TAB>name` (or a WordNet id, a blank and a name) on
            every line; or numbers and names, as `0 cat`, `0: cat`, `0,cat` or `cat,0`, where the numbers count the
            lines from 0 or from 1, below a header or without one; or JSON: a list, or a mapping from id to name or from
            name to number, or from number to id and name, as `imagenet_class_index.json` has it.
        codes: Names of classes: if they are codes, such as `n1`, any mark between them and what follows will do.

    Raises:
        DataError: It can't be read, or a line is blank.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        raise DataError(f"{path} is YAML, which isn't read: write the names one a line, or as JSON.")
    text = _text(path)
    if path.suffix == ".json":
        return _from_json(path, text)
    lines = text.rstrip().splitlines()
    if not lines:
        raise DataError(f"{path} holds no class names.")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise DataError(f"Line {number} of {path} is blank: every line must name a class.")
    behind = _behind_codes([line.strip() for line in lines], codes)
    if behind is not None:
        return behind
    numbered = _numbered([line.strip() for line in lines]) or _numbered([line.strip() for line in lines[1:]])
    if numbered is not None:
        return numbered
    for separator in ("\t", " "):
        pairs = [line.strip().split(separator, 1) for line in lines]
        coded = separator == "\t" or all(_WORDNET.fullmatch(pair[0]) for pair in pairs)
        if pairs and coded and all(len(pair) == 2 for pair in pairs):
            return _mapping(path, [(key.strip(), name.strip()) for key, name in pairs])
    return [line.strip() for line in lines]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is too large for a file of class names.")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The class names in {path} can't be read: the file isn't text in UTF-8.") from error
    except OSError as error:
        raise DataError(f"The class names in {path} can't be read: {error.strerror or error}.") from error
    return text


def by_number(numbers: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return names by number where numbers are given by name, as `label2id` has them; None for anything else.

    Example:
        >>> by_number({"cat": 0, "dog": 1})
        {'0': 'cat', '1': 'dog'}
    """
    values = [value for value in numbers.values() if isinstance(value, int) and not isinstance(value, bool)]
    if not values or len(set(values)) < len(numbers) or all(str(name).strip().isdecimal() for name in numbers):
        return None
    return {str(number): str(name) for name, number in numbers.items()}


def _numbered(lines: Sequence[str]) -> Mapping[str, str] | None:
    """Return names by number, where every line has the number that it comes at; None elsewhere."""
    for form, number, name in ((_NUMBER_FIRST, 1, 2), (_NUMBER_LAST, 2, 1)):
        found = [form.fullmatch(line) for line in lines]
        pairs = {int(one[number]): one[name] for one in found if one is not None}
        count = len(lines)
        if len(set(pairs.values())) == count > 1 and list(pairs) in (list(range(count)), list(range(1, count + 1))):
            return {str(key): _unquoted(text) for key, text in pairs.items()}
    return None


def _behind_codes(lines: Sequence[str], codes: Sequence[str]) -> Mapping[str, str] | None:
    """Return the words behind codes, where every code has one line; None elsewhere."""
    if not codes or not all(_CODE.fullmatch(code) for code in codes):
        return None
    matches = [found for found in map(_CODE_FIRST.fullmatch, lines) if found is not None and found[1] in codes]
    pairs = [(str(found[1]), str(found[2])) for found in matches]
    if len(pairs) != len(codes) or len(dict(pairs)) != len(codes):
        return None
    return {code: _unquoted(text) for code, text in pairs}


def _unquoted(text: str) -> str:
    """Return a field of a CSV file without its quotes."""
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def _mapping(path: Path, pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    names: dict[str, str] = {}
    for number, (key, name) in enumerate(pairs, start=1):
        if names.setdefault(key, name) != name:
            raise DataError(f"Line {number} of {path} gives {key!r} another name than a line before.")
    return names


def _is_indexed(key: str, pair: Any) -> bool:
    return key.isdecimal() and isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)


def _from_json(path: Path, text: str) -> Sequence[str] | Mapping[str, str]:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise DataError(f"The class names in {path} can't be read: {error}.") from error
    inverse = by_number(value) if isinstance(value, dict) else None
    if inverse is not None:
        return {key: show_path(name) for key, name in inverse.items()}
    if isinstance(value, dict) and value and all(_is_indexed(key, pair) for key, pair in value.items()):
        return {
            show_path(pair[0]): show_path(pair[1]) for _, pair in sorted(value.items(), key=lambda one: int(one[0]))
        }
    if isinstance(value, dict | list) and all(
        isinstance(name, str) for name in (value.values() if isinstance(value, dict) else value)
    ):
        if isinstance(value, list):
            return [show_path(name) for name in value]
        return {show_path(key): show_path(name) for key, name in value.items()}
    raise DataError(f"{path} must be a list of names, or a mapping from id to name or from name to number.")
