"""The words that a model reads for a class: made from its name, or given by a person; a name itself never changes."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from deft.data.name_files import read_names
from deft.errors import DataError

Words = Sequence[str] | Mapping[Any, str] | str | os.PathLike[str]
"""What a user gives as words: one text per class in the classes' order, name to words, or a file of either."""

_WORDNET = re.compile(r"n\d{8}")
_WORDNET_PREFIX = re.compile(r"(n\d{8})[-_. ]+(?=\S)")
_DOTTED_NUMBER = re.compile(r"(\d{1,6})\.[ _-]*(?=[^\W\d_])")
_NUMBER = re.compile(r"(\d{1,6})[-_ ]+(?=[^\W\d_])")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Soft hyphens, marks of direction and blanks without width: nobody sees them, and no word has them in it."""


def words_for(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names in words.

    "golden_retriever" becomes "golden retriever". Codes are cut where all names begin with one of one kind, each
    with its own: "001.Black_footed_Albatross", "n02085620-Chihuahua", "007_bond", "0_cat" and "1_dog". Numbers that
    are part of a name stay ("3.5mm jack", "Golf 1.6 TDI"), and so do hyphens ("T-shirt").

    Args:
        names: All classes of a data set; whether a prefix is a code is told by the others.

    Example:
        >>> words_for(["001.Crow", "002.Blue_jay"]), words_for(["0.5L bottle", "2.0_TDI"])
        (('Crow', 'Blue jay'), ('0.5L bottle', '2.0 TDI'))
    """
    texts = [_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).strip() for name in names]
    code = _code(texts)
    if code is not None:
        texts = [code.sub("", text, count=1) for text in texts]
    return tuple(" ".join(text.replace("_", " ").split()) or name for text, name in zip(texts, names, strict=True))


def alike(name: str) -> str:
    """Return what two spellings of one name share: case, underscores, hyphens and blanks are folded.

    Example:
        >>> alike("Golden_Retriever") == alike("golden retriever")
        True
    """
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFC", name))
    return " ".join(re.sub(r"[_\-\s]+", " ", seen).casefold().split())


def give_words(names: Sequence[str], given: Words) -> tuple[tuple[str, ...], str | None]:
    """Put a user's words on classes.

    Args:
        names: The classes, in order.
        given: One text per class in this order; or words by name, or by number (the first class is number 0); or a
            file of either: one text a line, or `name<TAB>words` on every line, or JSON. Names that the data doesn't
            have are passed over.

    Returns:
        Words of each class, and what a person should know: that some classes have none, so that theirs are made
        from their names, or that all begin with the name itself.

    Raises:
        DataError: The file can't be read, the count doesn't fit, a text is blank, or no name fits.
    """
    found: Any = read_names(Path(given), names) if isinstance(given, str | os.PathLike) else given
    if not isinstance(found, Mapping):
        texts = [" ".join(str(text).split()) for text in found]
        if len(texts) != len(names):
            raise DataError(
                f"There are words for {len(texts)} classes, but the data has {len(names)}: give one line per class, "
                "in the classes' order, or lines of name<TAB>words."
            )
        begin = all(re.match(rf"{re.escape(name)}\s*[,:;=]", text) for name, text in zip(names, texts, strict=True))
        doubt = "All words begin with the name of their class; if that isn't meant, put a tab behind the names."
        words = tuple(_some_words(name, text) for name, text in zip(names, texts, strict=True))
        return words, doubt if begin else None
    table = {str(key).strip(): " ".join(str(text).split()) for key, text in found.items()}
    chosen = _by_name(names, table) or _by_number(names, table)
    if not chosen:
        raise DataError(
            f"The words are for {_some(list(table))}, none of which is a class of the data: {_some(names)}."
        )
    default = words_for(names)
    words = tuple(_some_words(name, chosen[row]) if row in chosen else default[row] for row, name in enumerate(names))
    missing = [name for row, name in enumerate(names) if row not in chosen]
    told = f"No words are given for {_some(missing)}: made from the names themselves." if missing else None
    return words, told


def read_alike(names: Sequence[str], words: Sequence[str]) -> str | None:
    """Return a sentence on the classes that a model reads alike, or None.

    Args:
        names: The classes.
        words: What the model reads for each.
    """
    groups: dict[str, list[str]] = {}
    for name, text in zip(names, words, strict=True):
        groups.setdefault(" ".join(text.casefold().split()), []).append(name)
    same = [(text, group) for text, group in groups.items() if len(group) > 1]
    if not same:
        return None
    listed = "; ".join(f"{' and '.join(map(repr, group[:4]))} as '{text[:40]}'" for text, group in same[:5])
    more = f" and {len(same) - 5} more" if len(same) > 5 else ""
    return (
        f"Classes that a model reads alike, though they stay apart: {listed}{more}. "
        "Give it words that tell them apart with words=, a file with lines of name<TAB>words."
    )


def wordless(words: Sequence[str]) -> str | None:
    """Return a warning where words are numbers or codes, which say nothing to a model that reads words."""
    if words and all(re.fullmatch(r"[-+]?\d+", text) for text in words):
        kind = "numbers"
    elif words and all(_WORDNET.fullmatch(text) for text in words):
        kind = "WordNet ids"
    else:
        return None
    return (
        f"The classes are {kind} ({', '.join(words[:3])}, ...): a vision-language model needs words. "
        "Give them with words=, a file with lines of name<TAB>words; names of integer labels with classes=."
    )


def title(name: str, words: str) -> str:
    """Return what a page calls a class: its name, and its words behind it where they say more.

    Example:
        >>> title("n02012849", "crane"), title("golden_retriever", "golden retriever")
        ('n02012849 (crane)', 'golden_retriever')
    """
    return name if alike(words) in alike(name) else f"{name} ({words})"


def _code(texts: Sequence[str]) -> re.Pattern[str] | None:
    """Return the kind of code that all names begin with, each with a different one; None where there is none."""
    if len(texts) < 2:
        return None
    for kind in (_WORDNET_PREFIX, _DOTTED_NUMBER, _NUMBER):
        found = [kind.match(text) for text in texts]
        codes = [match.group(1) for match in found if match is not None]
        if len(set(codes)) < len(texts):
            continue
        if kind is not _NUMBER or _are_codes(codes, {kind.sub("", text, count=1).casefold() for text in texts}):
            return kind
    return None


def _are_codes(numbers: Sequence[str], rest: Collection[str]) -> bool:
    """Say whether numbers in front of names are codes: padded with zeros, or counted from 0 before different names."""
    padded = len({len(number) for number in numbers}) == 1 < len(numbers[0]) and any(n.startswith("0") for n in numbers)
    counted = sorted(numbers, key=int) == [str(place) for place in range(len(numbers))]
    return padded or (counted and len(rest) == len(numbers))


def _by_name(names: Sequence[str], table: Mapping[str, str]) -> dict[int, str]:
    folded: dict[str, list[str]] = {}
    for key, text in table.items():
        folded.setdefault(alike(key), []).append(text)
    chosen: dict[int, str] = {}
    for row, name in enumerate(names):
        near = folded.get(alike(name), [])
        if name in table:
            chosen[row] = table[name]
        elif len(near) == 1:
            chosen[row] = near[0]
    return chosen


def _by_number(names: Sequence[str], table: Mapping[str, str]) -> dict[int, str]:
    if not all(key.isdecimal() for key in table):
        return {}
    return {int(key): text for key, text in table.items() if int(key) < len(names)}


def _some_words(name: str, text: str) -> str:
    if not text:
        raise DataError(f"The words for class {name!r} are blank.")
    return text


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
