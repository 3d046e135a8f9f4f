"""Why an image is suspected: its neighbours, its duplicates, typical images of the classes, and a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from deft.runs.near import NEAREST, Near, Space

if TYPE_CHECKING:
    from deft.runs.detection import Detection

EXPLAINED = 10_000
"""Images whose neighbours are looked up beforehand: the flagged ones, worst first, then those least sure."""

SHOWN = 3
"""Typical images of a class that are shown."""


Name = Callable[[int], str]
"""From the number of a class to its name."""


@dataclass(frozen=True)
class Reason:
    """What speaks for and against the label of one image.

    Args:
        sentence: The same in words; empty where nothing is known.
        neighbours: Rows of the nearest images, nearest first.
        similarity: Their cosines.
        given: Rows of typical images of the given label.
        suggested: Rows of typical images of the suggestion.
        duplicates: Rows of images that show the same picture.
    """

    sentence: str
    neighbours: tuple[int, ...]
    similarity: tuple[float, ...]
    given: tuple[int, ...]
    suggested: tuple[int, ...]
    duplicates: tuple[int, ...]


class Reasons:
    """What speaks for and against the labels of a run; neighbours that nobody looked up yet are found when asked for.

    Args:
        found: The verdicts; with features, or with what was found of them before.

    Example:
        >>> found.reasons.of(17).sentence  # doctest: +SKIP
        "4 of its 5 nearest images are 'lemon', none is 'orange'; it lies closer to 'not orange' than to 'orange'."
    """

    def __init__(self, found: Detection) -> None:
        self._found = found
        groups = found.verdicts.duplicate_group
        self._groups = np.full(len(found), -1, np.int64) if groups is None else groups
        self._members: dict[int, list[int]] = {}
        for row in np.flatnonzero(self._groups >= 0).tolist():
            self._members.setdefault(int(self._groups[row]), []).append(row)

    def __repr__(self) -> str:
        return f"Reasons({self._found!r})"

    @cached_property
    def near(self) -> Near | None:
        """The neighbours of the images that are looked up beforehand; None where there are no features."""
        if self._found.near is not None or self._space is None:
            return self._found.near
        return look_up(self._found, self._space)

    def of(self, row: int, named: Callable[[str], str] = str) -> Reason:
        """Return what is known of one image.

        Args:
            row: Number of the image.
            named: Gives the name of a class as the sentence is to have it.
        """
        found = self._found
        neighbours, similarity = self._neighbours(row)
        copies = [other for other in self._members.get(int(self._groups[row]), ()) if other != row]
        aside = {row, *copies}
        return Reason(
            sentence=self._sentence(row, neighbours, copies, lambda label: named(found.classes[label])),
            neighbours=tuple(neighbours),
            similarity=tuple(similarity),
            given=self._typical(int(found.given[row]), aside),
            suggested=self._typical(int(found.suggested[row]), aside),
            duplicates=tuple(copies),
        )

    @cached_property
    def _space(self) -> Space | None:
        features = self._found.verdicts.features
        if features is None:
            return None
        usable = self._found.judged & (self._found.given >= 0)
        return Space.of(features, usable, self._groups)

    def _neighbours(self, row: int) -> tuple[list[int], list[float]]:
        if self.near is None or not self._found.judged[row]:
            return [], []
        places, cosines = self.near.neighbours[row], self.near.similarity[row]
        if (places < 0).all() and self._space is not None:
            nearest, similar = self._space.nearest(np.array([row]))
            places, cosines = nearest[0], similar[0]
        known = places >= 0
        return places[known].tolist(), cosines[known].astype(float).tolist()

    def _typical(self, label: int, aside: set[int]) -> tuple[int, ...]:
        if self.near is None or label < 0:
            return ()
        return tuple(row for row in self.near.typical[label].tolist() if row >= 0 and row not in aside)[:SHOWN]

    def _sentence(self, row: int, neighbours: list[int], copies: list[int], name: Name) -> str:
        found = self._found
        given, near = int(found.given[row]), [int(found.given[other]) for other in neighbours]
        said = [_of_neighbours(near, given, name)]
        margin = None if found.verdicts.prompt_margin is None else float(found.verdicts.prompt_margin[row])
        if margin is not None and np.isfinite(margin) and given >= 0:
            said.append(_of_prompts(margin, _majority(near, given), name(given)))
        if found.verdicts.p_none is not None and found.verdicts.p_none[row] > 0.5:
            said.append("it probably shows none of the classes")
        said.append(_of_copies([int(found.given[other]) for other in copies], given, name))
        sentence = "; ".join(filter(None, said))
        return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def look_up(found: Detection, space: Space) -> Near:
    """Return the neighbours of flagged images, and of those least sure among the rest.

    Args:
        found: The verdicts.
        space: Of their features.
    """
    count = len(found)
    order = np.lexsort((np.nan_to_num(found.p_clean, nan=2.0), ~found.is_label_issue))
    rows = np.sort(order[found.judged[order]][:EXPLAINED])
    neighbours, similarity = np.full((count, NEAREST), -1, np.int64), np.full((count, NEAREST), np.nan, np.float32)
    neighbours[rows], similarity[rows] = space.nearest(rows)
    believed = Space(space.features, space.usable & found.is_clean, space.groups, space.center, space.scale)
    return Near(neighbours, similarity, believed.typical(found.given, len(found.classes)))


def _of_neighbours(labels: list[int], given: int, name: Name) -> str:
    """Say which labels the neighbours have."""
    if not labels:
        return ""
    counts, all_of = Counter(labels), len(labels)
    own = counts.pop(given, 0)
    if not counts:
        return f"all {all_of} of its nearest images are '{name(given)}' as well"
    other, most = counts.most_common(1)[0]
    if most == all_of:
        return f"all {all_of} of its nearest images are '{name(other)}'"
    rest = "" if given < 0 else f", {own or 'none'} {'is' if own < 2 else 'are'} '{name(given)}'"
    return f"{most} of its {all_of} nearest images {'is' if most == 1 else 'are'} '{name(other)}'{rest}"


def _majority(labels: list[int], given: int) -> int:
    """Return whether more neighbours have the given label than any other: 1, or fewer: −1; 0 for neither."""
    counts = Counter(labels)
    own = counts.pop(given, 0)
    most = max(counts.values(), default=0)
    return (own > most) - (own < most)


def _of_prompts(margin: float, neighbours: int, given: str) -> str:
    """Say which prompt the image lies closer to; with "yet" where the neighbours' `_majority` says otherwise."""
    side, other = (f"'not {given}'", f"'{given}'") if margin < 0 else (f"'{given}'", f"'not {given}'")
    against = neighbours > 0 if margin < 0 else neighbours < 0
    return f"{'yet ' if against else ''}it lies closer to {side} than to {other}"


def _of_copies(labels: list[int], given: int, name: Name) -> str:
    """Say which other labels the same picture has elsewhere."""
    others = [label for label in labels if label >= 0 and label != given]
    if not others:
        return ""
    named = " and ".join(f"'{name(label)}'" for label in sorted(set(others)))
    return f"the same picture is labelled {named} elsewhere"
