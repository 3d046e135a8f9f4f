"""Class names: from folder names, codes and spellings to words; and labels to class numbers."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.readers import IntArray
from deft.errors import DataError

Classes = Sequence[str] | Mapping[Any, str] | str | os.PathLike[str]
"""What a user gives as class names: the names in order of their numbers, id to name, or a file of either."""

_WORDNET = re.compile(r"n\d{8}")
_PREFIX = re.compile(r"(?:n\d{8}[-_ ]|\d{1,4}\.)(?=.*[^\W\d_])")


@dataclass(frozen=True)
class ClassNames:
    """Names that are settled before the labels are seen.

    Args:
        names: The classes, in words, in order.
        numbers: Class number by what may stand in the data: an id, or a name as `alike` folds it.
        by_position: Whether an integer label is a position in `names`.
    """

    names: tuple[str, ...]
    numbers: Mapping[str, int]
    by_position: bool

    def find(self, label: str | int) -> int | None:
        """Return the class number of a label, or None."""
        if isinstance(label, int) and self.by_position:
            return label if 0 <= label < len(self.names) else None
        text = str(label)
        number = self.numbers.get(text, self.numbers.get(alike(text)))
        if number is None:
            number = self.numbers.get(alike(clean_name(text)))
        if number is None and self.by_position and text.isdecimal() and int(text) < len(self.names):
            number = int(text)
        return number


def clean_name(text: str) -> str:
    """Return a class name in words.

    "golden_retriever" becomes "golden retriever"; the codes in front of "n02085620-Chihuahua" and
    "001.Black_footed_Albatross" go; hyphens stay as they are ("T-shirt", "go-kart").
    """
    if any("\udc80" <= letter <= "\udcff" for letter in text):
        text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    text = unicodedata.normalize("NFC", text).strip()
    text = _PREFIX.sub("", text, count=1)
    return " ".join(text.replace("_", " ").split())


def alike(name: str) -> str:
    """Return what two spellings of one name share: case, underscores, hyphens and blanks are folded."""
    return " ".join(re.sub(r"[_\-\s]+", " ", unicodedata.normalize("NFC", name)).casefold().split())


def class_names(classes: Classes | None) -> ClassNames | None:
    """Read the names that a user gives.

    Args:
        classes: Names in order of their integer labels, or a mapping of what stands in the data to a
            name; or a text file with one name per line, or with `id<TAB>name` on every line, or JSON.

    Raises:
        DataError: A name is blank or there twice, or the file can't be read.
    """
    if classes is None:
        return None
    given: Any = _read_names(Path(classes)) if isinstance(classes, str | os.PathLike) else classes
    if isinstance(given, Mapping):
        return _from_mapping({str(key).strip(): str(name) for key, name in given.items()})
    return in_order([str(name) for name in given])


def in_order(names: Sequence[str]) -> ClassNames:
    """Settle names whose place is their integer label."""
    clean = tuple(clean_name(name) for name in names)
    for number, name in enumerate(clean):
        if not name:
            raise DataError(f"Class name number {number} is blank (the first one is number 0).")
    folded: dict[str, int] = {}
    for number, name in enumerate(clean):
        other = folded.setdefault(alike(name), number)
        if other != number:
            raise DataError(
                f"Class names {names[other]!r} (number {other}) and {names[number]!r} (number {number}) differ "
                "only in case, underscores or blanks; --classes (classes=) with lines of id<TAB>name merges "
                "them or tells them apart."
            )
    return ClassNames(clean, folded, by_position=True)


def encode(labels: Sequence[str | int | None], classes: ClassNames | None) -> tuple[IntArray, tuple[str, ...]]:
    """Number the labels.

    Args:
        labels: What `tidy` made of the data: text, integers or None.
        classes: Names that are settled; None to take them from the labels, sorted.

    Returns:
        Class numbers (N,), -1 for None, and the names.

    Raises:
        DataError: Two names differ only in spelling, or a label isn't among the names given.
    """
    counts = Counter(label for label in labels if label is not None)
    if classes is None:
        table, names = _numbered(counts)
    else:
        table, names = _looked_up(counts, classes), classes.names
    numbers = [-1 if label is None else table[label] for label in labels]
    return np.array(numbers, dtype=np.int64), names


def tidy(labels: Sequence[Any]) -> list[str | int | None]:
    """Return labels as text without blanks around, or all as integers; None where there is none.

    Raises:
        DataError: A label is a list, a picture or something else that names no class.
    """
    values = [_tidy_one(label) for label in labels]
    present = [value for value in values if value is not None]
    if all(isinstance(value, int) for value in present):
        return values
    if all(isinstance(value, int) or re.fullmatch(r"[0-9]{1,9}", value) for value in present):
        return [None if value is None else int(value) for value in values]
    return [None if value is None else str(value) for value in values]


def wordless(names: Sequence[str]) -> str | None:
    """Return a warning where names are numbers or codes, which say nothing to a model that reads words."""
    if names and all(name.isdecimal() for name in names):
        kind = "numbers"
    elif names and all(_WORDNET.fullmatch(name) for name in names):
        kind = "WordNet ids"
    else:
        return None
    return (
        f"The classes are {kind} ({', '.join(names[:3])}, ...): a vision-language model needs words. "
        "Give them with --classes names.txt (one name per line in order, or id<TAB>name)."
    )


def _tidy_one(label: Any) -> str | int | None:
    if label is None or (isinstance(label, float | np.floating) and np.isnan(label)):
        return None
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, str):
        return label.strip("\ufeff \t\r\n\v\f\xa0") or None
    if isinstance(label, bool | np.bool_):
        return str(bool(label))
    if isinstance(label, int | np.integer):
        return int(label)
    if isinstance(label, float | np.floating):
        return int(label) if float(label).is_integer() else str(float(label))
    raise DataError(f"A label must be text or an integer, not {type(label).__name__} ({str(label)[:60]}).")


def _numbered(counts: Mapping[str | int, int]) -> tuple[dict[str | int, int], tuple[str, ...]]:
    if all(isinstance(label, int) for label in counts):
        ordered = sorted(counts, key=int)
        return {label: number for number, label in enumerate(ordered)}, tuple(str(label) for label in ordered)
    groups: dict[str, list[str]] = {}
    for label in map(str, counts):
        groups.setdefault(alike(clean_name(label)), []).append(label)
    clashes = [group for group in groups.values() if len(group) > 1]
    if clashes:
        pairs = "; ".join(" and ".join(f"{one!r} ({counts[one]} images)" for one in group) for group in clashes[:3])
        raise DataError(
            f"Class names that differ only in case, underscores or blanks: {pairs}. If they are one class, "
            "give the names with --classes (classes=), each once: every spelling is then read as that name."
        )
    names = {label: clean_name(label) or label for label in map(str, counts)}
    ordered_names = sorted(names.values())
    place = {name: number for number, name in enumerate(ordered_names)}
    return {label: place[names[str(label)]] for label in counts}, tuple(ordered_names)


def _looked_up(counts: Mapping[str | int, int], classes: ClassNames) -> dict[str | int, int]:
    found = {label: classes.find(label) for label in counts}
    missing = [label for label, number in found.items() if number is None]
    if missing:
        some = ", ".join(f"{label!r} ({counts[label]} images)" for label in missing[:5])
        names = ", ".join(classes.names[:20]) + (", ..." if len(classes.names) > 20 else "")
        raise DataError(
            f"{len(missing)} labels are not among the {len(classes.names)} class names given: {some}. "
            f"The names are {names}."
        )
    return {label: number for label, number in found.items() if number is not None}


def _from_mapping(given: Mapping[str, str]) -> ClassNames:
    names: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for key, name in given.items():
        clean = clean_name(name)
        if not clean:
            raise DataError(f"The class name for id {key!r} is blank.")
        numbers[key] = names.setdefault(clean, len(names))
    for name, number in names.items():
        numbers.setdefault(alike(name), number)
    return ClassNames(tuple(names), numbers, by_position=False)


def _read_names(path: Path) -> Sequence[str] | Mapping[str, str]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The class names in {path} can't be read: {error}.") from error
    if path.suffix == ".json":
        return _json_names(path, text)
    lines = text.rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise DataError(f"Line {number} of {path} is blank: every line must name a class.")
    for separator in ("\t", " "):
        pairs = [line.strip().split(separator, 1) for line in lines]
        coded = separator == "\t" or all(_WORDNET.fullmatch(pair[0]) for pair in pairs)
        if pairs and coded and all(len(pair) == 2 for pair in pairs):
            return {key.strip(): name.strip() for key, name in pairs}
    return lines


def _json_names(path: Path, text: str) -> Sequence[str] | Mapping[str, str]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"The class names in {path} can't be read: {error}.") from error
    if isinstance(value, dict | list) and all(
        isinstance(name, str) for name in (value.values() if isinstance(value, dict) else value)
    ):
        return value
    raise DataError(f"{path} must be a list of names or a mapping from id to name.")
