"""What is odd about class names: a vision-language model reads them, so they must be words it can tell apart."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from deft.data.printable import shown
from deft.report.page import NameNote
from deft.report.words import count, percent, plural
from deft.runs.detection import Detection

MOST = 30  # notes of a kind
FEW = 6  # names of a series
ALIKE = 0.85  # of difflib's ratio: "apple tree" and "maple tree" reach it, "cat" and "car" don't
COMPARED = 2000  # names at the most, for spelling
MUTUAL = 0.05  # share of each of two classes that is taken for the other
FEWEST = 3  # images, for such a pair to be more than chance

_CODE = re.compile(
    r"""
    [\W\d_]+                                      # 176
    | .                                           # x
    | (?:class|label|category|cat|cls|type|group|id|c)[\W_]*\d+   # class_3
    | n\d{8}                                      # WordNet: n01440764
    | [a-z]{1,3}[\W_]*\d+[a-z]?                   # ab12
    | (?=[0-9a-f-]*\d)[0-9a-f-]{8,}               # 3f2a9c01
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def check_names(found: Detection) -> tuple[NameNote, ...]:
    """Return names that are codes, that are spelt or mean nearly the same, or that the model takes for each other.

    Args:
        found: The verdicts.
    """
    read = list(zip(found.titles, found.words, strict=True))
    codes = [name for name, words in read if _is_code(words)]
    notes = []
    if codes:
        says = plural(len(codes), "name says", "names say")
        notes.append(
            _note(codes[:MOST], f"{says} nothing to a model that reads words; give them words (deft detect --words).")
        )
    notes += [_note(group[:FEW], "read alike: the model gets the same words.") for group in _twins(read)[:MOST]]
    called = {words: name for name, words in reversed(read) if not _is_code(words)}
    words = list(reversed(called))
    grouped = [
        *((group, "the same but for case, plural or punctuation.") for group in _same(words)[:MOST]),
        *((group, f"{_more(group)}differ only in a number.") for group in _numbered(words)[:MOST]),
        *((pair, "spelt almost alike: one class or two?") for pair in _alike(words)[:MOST]),
    ]
    notes += [_note([called[text] for text in group[:FEW]], why) for group, why in grouped]
    told = {frozenset(note.names) for note in notes}
    notes += [note for note in _close(found) if frozenset(note.names) not in told][:MOST]
    notes += list(_mutual(found))[:MOST]
    return tuple(notes)


def _twins(read: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Return the classes whose words are the very same."""
    groups = defaultdict(list)
    for name, words in read:
        groups[words].append(name)
    return [tuple(group) for words, group in groups.items() if len(group) > 1 and not _is_code(words)]


def _note(names: Sequence[str], text: str) -> NameNote:
    return NameNote(tuple(shown(name) for name in names), text)


def _more(names: Sequence[str]) -> str:
    return f"and {count(len(names) - FEW)} more " if len(names) > FEW else ""


def _is_code(name: str) -> bool:
    # A single letter of a script that writes words with one is a word: 犬.
    one = len(name) == 1 and unicodedata.category(name) == "Lo"
    return not one and bool(_CODE.fullmatch(name.strip()))


def _plain(name: str) -> str:
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    return letters[:-1] if len(letters) > 3 and letters.endswith("s") else letters


def _same(names: Sequence[str]) -> list[tuple[str, ...]]:
    groups = defaultdict(list)
    for name in names:
        groups[_plain(name)].append(name)
    return [tuple(group) for plain, group in groups.items() if len(group) > 1 and plain]


def _numbered(names: Sequence[str]) -> list[tuple[str, ...]]:
    groups = defaultdict(list)
    for name in names:
        if re.search(r"\d", name):
            groups[re.sub(r"\d+", "#", _plain(name))].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of names with nearly the same letters, closest first; pairs of letters choose whom to compare."""
    plain = [re.sub(r"\d+", "", _plain(name)) for name in names[:COMPARED]]
    found = []
    for one, other in _candidates(plain):
        if plain[one] != plain[other]:
            ratio = difflib.SequenceMatcher(None, plain[one], plain[other], autojunk=False).ratio()
            if ratio >= ALIKE:
                found.append((ratio, names[one], names[other]))
    return [(one, other) for _, one, other in sorted(found, key=lambda pair: -pair[0])]


def _candidates(plain: Sequence[str]) -> Iterator[tuple[int, int]]:
    index: dict[str, int] = {}
    rows = [[index.setdefault(text[at : at + 2], len(index)) for at in range(len(text) - 1)] for text in plain]
    table = np.zeros((len(plain), max(len(index), 1)), np.float32)
    for number, row in enumerate(rows):
        np.add.at(table[number], row, 1)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
    near = np.triu(table @ table.T > 0.55, k=1)
    yield from zip(*(axis.tolist() for axis in np.nonzero(near)), strict=True)


def _close(found: Detection) -> Iterator[NameNote]:
    """Yield names that the detector's model reads as nearly the same; codes are reported elsewhere."""
    words = dict(zip(found.classes, found.words, strict=True))
    for one, other, similarity in found.info.get("close_names", ()):
        read = words.get(one, one), words.get(other, other)
        if read[0] != read[1] and not any(map(_is_code, read)):
            yield _note((one, other), f"mean nearly the same to the model (similarity {similarity:.2f}).")


def _mutual(found: Detection) -> Iterator[NameNote]:
    """Yield pairs of classes that are mistaken for each other, in both directions, by the model or by people."""
    moved = found.is_label_issue & (found.predicted != found.given)
    pairs, times = np.unique(np.stack([found.given[moved], found.predicted[moved]], axis=1), axis=0, return_counts=True)
    counts = {(a, b): n for (a, b), n in zip(pairs.tolist(), times.tolist(), strict=True)}
    sizes = np.bincount(found.given[found.judged], minlength=len(found.classes))
    both = []
    for (a, b), there in counts.items():
        back = counts.get((b, a), 0)
        share = min(there / sizes[a], back / sizes[b]) if a < b and back else 0.0
        if share >= MUTUAL and min(there, back) >= FEWEST:
            both.append((share, a, b))
    for share, a, b in sorted(both, reverse=True):
        why = "the model doesn't tell them apart, or people didn't."
        yield _note(
            (found.classes[a], found.classes[b]), f"taken for each other, at least {percent(share)} of each: {why}"
        )
