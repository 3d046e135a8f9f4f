"""Class names as the data spells them: their order, and which of them a label means."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.labels import Label
from deft.data.name_files import by_number, read_names
from deft.data.readers import IntArray
from deft.data.words import alike, words_for
from deft.errors import DataError
from deft.wording import counted, noun

Classes = Sequence[str] | Mapping[Any, str] | str | os.PathLike[str]
"""What a user gives as classes: names in order of their numbers, number to name, name to words, or a file of them."""

_NUMBER = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True)
class ClassNames:
    """Names that are settled before the labels are seen.

    Args:
        names: The classes, in order.
        words: What a model reads for each; None where that is made from the names.
        numbers: Class by integer label; None where integers are places in `names`.
        start: Which integer the first of `names` has; None where that is to be found out.
    """

    names: tuple[str, ...]
    words: tuple[str, ...] | None = None
    numbers: Mapping[int, int] | None = None
    start: int | None = None


@dataclass(frozen=True)
class Encoded:
    """Labels as numbers.

    Args:
        numbers: Class of each label, (N,); -1 for none.
        names: The classes as the data spells them.
        words: What a model reads for each class; None where that is made from the names.
        notes: What a person should know, a sentence each.
    """

    numbers: IntArray
    names: tuple[str, ...]
    words: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def class_names(classes: Classes | None) -> ClassNames | None:
    """Read the classes that a user gives.

    Args:
        classes: Names in order of their integer labels; or a mapping of integer labels to names, or of names to
            integers (`label2id`); or of what stands in the data (a folder's name, a cell) to the words for it. Or a
            file of one of these: one name per line, or `id<TAB>name` on every line, or JSON (`read_names`).

    Raises:
        DataError: A name is blank, or the file can't be read.
    """
    if classes is None:
        return None
    given: Any = read_names(Path(classes)) if isinstance(classes, str | os.PathLike) else classes
    if isinstance(given, Mapping):
        given = by_number(given) or given
        return _from_mapping({str(key).strip(): str(name).strip() for key, name in given.items()})
    names = [str(name).strip() for name in given]
    for number, name in enumerate(names):
        if not name:
            raise DataError(f"Class name number {number} is blank (the first one is number 0).")
    return replace(in_order(names), start=None)


def in_order(names: Sequence[str]) -> ClassNames:
    """Settle names whose place, from 0, is their integer label; a name that comes again gets its number behind it."""
    return ClassNames(_distinct(names, range(len(names))), words_for(names), None, 0)


def encode(labels: Sequence[Label], classes: ClassNames | None) -> Encoded:
    """Number the labels.

    Args:
        labels: What `read_labels` made of the data.
        classes: Names that are settled; None to take the labels' own, sorted, numbers by their size.

    Raises:
        DataError: A label isn't among the names given, or it can't be told whether integers count from 0 or from 1.
    """
    counts = Counter(label for label in labels if label is not None)
    if classes is None:
        names = class_order({str(label) for label in counts})
        place = {name: number for number, name in enumerate(names)}
        return Encoded(_numbers(labels, {label: place[str(label)] for label in counts}), names)
    table, notes = _looked_up(counts, classes)
    names, spelt = _own_spelling(table, classes, counts)
    return Encoded(_numbers(labels, table), names, classes.words, (*notes, *spelt))


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted: all numbers by their size, anything else by its letters.

    Example:
        >>> class_order(["10", "9", "1"]), class_order(["b10", "b9"])
        (('1', '9', '10'), ('b10', 'b9'))
    """
    found = sorted(set(names))
    if all(_NUMBER.fullmatch(name) and name.isascii() for name in found):
        return tuple(sorted(found, key=int))
    return tuple(found)


def places(names: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Return where names stand among the classes of another data set: the same spelling, else the only like one.

    Args:
        names: Classes to find; those that aren't there are left out.
        known: The other classes.

    Example:
        >>> places(["golden retriever", "A", "emu"], ["A", "a", "golden_retriever"])
        {'golden retriever': 2, 'A': 0}
    """
    exact = {name: number for number, name in enumerate(known)}
    folded = _folded(known)
    ours = Counter(alike(name) for name in names)
    found = {}
    for name in names:
        number = exact.get(name, folded.get(alike(name)) if ours[alike(name)] == 1 else None)
        if number is not None:
            found[name] = number
    return found


def _from_mapping(given: Mapping[str, str]) -> ClassNames:
    for key, name in given.items():
        if not name.strip("_ "):
            raise DataError(f"The class name for id {key!r} is blank.")
    words = tuple(given.values())
    if given and all(_NUMBER.fullmatch(key) for key in given) and len({int(key) for key in given}) == len(given):
        ordered = sorted(given.items(), key=lambda pair: int(pair[0]))
        keys = [int(key) for key, _ in ordered]
        texts = [name for _, name in ordered]
        return ClassNames(_distinct(texts, keys), words_for(texts), {key: row for row, key in enumerate(keys)})
    return ClassNames(tuple(given), words_for(words), {})


def _distinct(names: Sequence[str], numbers: Iterable[int]) -> tuple[str, ...]:
    """Return the names, with a number added to those that occur more than once."""
    times = Counter(names)
    taken = set(names)
    found = []
    for name, number in zip(names, numbers, strict=True):
        new = name if times[name] == 1 and name else f"{name} ({number})".strip()
        while times[name] > 1 and new in taken:
            new += "'"
        taken.add(new)
        found.append(new)
    return tuple(found)


def _numbers(labels: Sequence[Label], table: Mapping[str | int, int]) -> IntArray:
    return np.array([-1 if label is None else table[label] for label in labels], dtype=np.int64)


def _looked_up(counts: Mapping[str | int, int], classes: ClassNames) -> tuple[dict[str | int, int], list[str]]:
    exact = {name: number for number, name in enumerate(classes.names)}
    folded = _folded(classes.names, classes.words or ())
    table: dict[str | int, int] = {label: exact[str(label)] for label in counts if str(label) in exact}
    whole = {label: int(label) for label in counts if _NUMBER.fullmatch(str(label))}
    notes: list[str] = []
    if not whole.keys() <= table.keys():  # else numbers are the very names of classes
        by_number, notes = _by_number(whole, classes)
        table = {label: number for label, number in table.items() if label not in whole} | by_number
    for label in counts:
        if label not in table and alike(str(label)) in folded and not isinstance(label, int):
            table[label] = folded[alike(str(label))]
    missing = [label for label in counts if label not in table]
    if missing:
        some = ", ".join(f"{_cut(label)} ({counted(counts[label], 'image')})" for label in missing[:5])
        names = ", ".join(name[:40] for name in classes.names[:20]) + (", ..." if len(classes.names) > 20 else "")
        raise DataError(
            f"{counted(len(missing), 'label')} {noun(len(missing), 'is', 'are')} not among the {len(classes.names)} "
            f"class names given: {some}. "
            f"The names are {names}."
        )
    return table, notes


def _by_number(whole: Mapping[str | int, int], classes: ClassNames) -> tuple[dict[str | int, int], list[str]]:
    """Return the classes of integer labels, and how they were counted."""
    if classes.numbers is not None:
        table = {label: classes.numbers[number] for label, number in whole.items() if number in classes.numbers}
        return table, []
    notes = []
    found = {label: number for label, number in whole.items() if number != -1}
    if len(found) < len(whole):
        notes.append("Labels of -1 are read as no label.")
    if not found:
        return dict.fromkeys(whole, -1), notes
    start, told = _start(set(found.values()), classes)
    places = {label: number - start for label, number in found.items() if 0 <= number - start < len(classes.names)}
    return {**places, **{label: -1 for label in whole if label not in found}}, [*notes, *told]


def _start(numbers: set[int], classes: ClassNames) -> tuple[int, list[str]]:
    """Return whether integer labels count from 0 or from 1, and the sentence that says so."""
    if classes.start is not None:
        return classes.start, []
    low, high, count = min(numbers), max(numbers), len(classes.names)
    if low >= 1 and high < count:
        raise DataError(
            f"The integer labels are {low} to {high}, but there are {count} class names, so they may count from 0 or "
            "from 1. Say which number is which class, by lines of number<TAB>name in the file for classes=: the "
            f"first is 0<TAB>{classes.names[0][:40]} or 1<TAB>{classes.names[0][:40]}."
        )
    start = 1 if low >= 1 and high == count else 0
    if high - start >= count or low < 0:
        return start, []  # not among the names, which is said with them
    first = classes.names[0]
    return start, [f"Integer labels are taken to count from {start}: {start} is '{first[:40]}', the first class name."]


def _own_spelling(
    table: Mapping[str | int, int], classes: ClassNames, counts: Mapping[str | int, int]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the names in the data's own spelling, where it has just one other; else the name given."""
    texts: dict[int, list[str]] = {}
    for label, number in table.items():
        if number >= 0 and isinstance(label, str):
            texts.setdefault(number, []).append(label)
    names, notes = list(classes.names), []
    for number, spellings in texts.items():
        if len(spellings) == 1 and spellings[0] not in names and not _NUMBER.fullmatch(spellings[0]):
            names[number] = spellings[0]
        elif len(spellings) > 1:
            listed = ", ".join(f"{_cut(text)} ({counted(counts[text], 'image')})" for text in spellings[:5])
            notes.append(f"Read as one class, '{names[number][:40]}', as the class names given say: {listed}.")
    return tuple(names), notes


def _folded(names: Sequence[str], words: Sequence[str] = ()) -> dict[str, int]:
    """Return the class of each spelling without case and marks, where that means only one class."""
    found: dict[str, set[int]] = {}
    for texts in (names, words):
        for number, text in enumerate(texts):
            found.setdefault(alike(text), set()).add(number)
    return {text: min(numbers) for text, numbers in found.items() if len(numbers) == 1}


def _cut(label: str | int) -> str:
    return repr(label[:60]) if isinstance(label, str) else str(label)
