"""Groups of images that show the same picture: who is in one, and where labels or splits differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np

from deft.data.duplicates import KINDS, Kind
from deft.runs.storage import nullable
from deft.runs.vocabulary import Duplicates
from deft.wording import counted

LISTED = 1000
"""Groups that a summary lists at the most; the table of verdicts has all of them (`duplicate_group`)."""


@dataclass(frozen=True)
class DuplicateGroups:
    """The groups of a run.

    Args:
        members: Rows of each group, in the groups' order.
        torn: Which groups have more than one label.
        across: Which groups lie in more than one split.
        kinds: By what each image is known for a duplicate, (N,); None in runs that don't say.
    """

    members: tuple[tuple[int, ...], ...]
    torn: tuple[bool, ...]
    across: tuple[bool, ...]
    kinds: tuple[Kind | None, ...] | None = None

    def __repr__(self) -> str:
        return (
            f"DuplicateGroups({counted(len(self.members), 'group')}, {counted(sum(map(len, self.members)), 'image')})"
        )

    @classmethod
    def of(
        cls,
        groups: np.ndarray | None,
        given: np.ndarray,
        split: Sequence[str] | None,
        kinds: np.ndarray | None = None,
    ) -> DuplicateGroups:
        """Return the groups with what differs in them.

        Args:
            groups: Number of each image's group, (N,), −1 for none; None if nobody looked for duplicates.
            given: Given labels, (N,), −1 for none.
            split: Split of each image, (N,), where there are splits.
            kinds: By what each image is known for a duplicate, places in `KINDS`, (N,), −1 for none.
        """
        found: dict[int, list[int]] = {}
        for row in np.flatnonzero(groups >= 0).tolist() if groups is not None else ():
            found.setdefault(int(groups[row]), []).append(row)  # type: ignore[index]
        members = tuple(map(tuple, found.values()))
        torn = tuple(len({int(given[row]) for row in rows} - {-1}) > 1 for rows in members)
        across = tuple(split is not None and len({split[row] for row in rows}) > 1 for rows in members)
        return cls(members, torn, across, None if kinds is None else tuple(kind_names(kinds)))

    def mask(self, kind: Duplicates, count: int) -> np.ndarray:
        """Return which images a choice of duplicates has, bool (N,).

        Args:
            kind: "any", "labels" for groups with different labels, or "splits" for those in several splits.
            count: N.
        """
        wanted = {"labels": self.torn, "splits": self.across}.get(kind, (True,) * len(self.members))
        chosen = np.zeros(count, np.bool_)
        chosen[[row for rows, take in zip(self.members, wanted, strict=True) if take for row in rows]] = True
        return chosen

    def counts(self) -> dict[str, int]:
        """Return how many images each choice of duplicates has."""
        size = max((max(rows) for rows in self.members), default=-1) + 1
        return {kind: int(self.mask(kind, size).sum()) for kind in get_args(Duplicates)}

    def about(self, row: int, classes: Sequence[str], given: np.ndarray) -> dict[str, Any] | None:
        """Return how many others show the same picture as an image, by what, and their labels; None for one on its own.

        Args:
            row: The image.
            classes: Class names.
            given: Given labels, (N,), −1 for none.
        """
        others = self.others(row)
        if not others:
            return None
        labels = sorted({classes[int(given[other])] if given[other] >= 0 else "" for other in others})
        kind = None if self.kinds is None else self.kinds[row]
        return {"count": len(others), "labels": labels, "differ": self.torn[self.place_of[row]], "kind": kind}

    def others(self, row: int) -> tuple[int, ...]:
        """Return the rows of the other images that show the same picture as one."""
        return (
            tuple(other for other in self.members[self.place_of[row]] if other != row) if row in self.place_of else ()
        )

    @cached_property
    def place_of(self) -> dict[int, int]:
        """Place of each image's group in `members`, by row."""
        return {row: place for place, rows in enumerate(self.members) for row in rows}


def kind_names(kinds: np.ndarray) -> list[Kind | None]:
    """Return kinds of duplicates by name, None where there is none.

    Args:
        kinds: Places in `KINDS`, (N,), −1 for none.
    """
    return [KINDS[kind] if kind >= 0 else None for kind in kinds.tolist()]


def duplicate_columns(groups: np.ndarray | None, kinds: np.ndarray | None) -> dict[str, Any]:
    """Return the columns of a table that say which images show one picture, and by what that is known.

    Args:
        groups: Number of each image's group, (N,), −1 for none; None if nobody looked for duplicates.
        kinds: Places in `KINDS`, (N,), −1 for none; None in runs that don't say.
    """
    known = {} if groups is None else {"duplicate_group": nullable(groups)}
    return known if kinds is None else {**known, "duplicate_kind": kind_names(kinds)}


def kind_places(names: Sequence[str | None] | None) -> np.ndarray | None:
    """Return places in `KINDS` from their names, −1 for None; None where there is no such column."""
    return None if names is None else np.array([-1 if name is None else KINDS.index(name) for name in names], np.int64)


def summarize_duplicates(
    groups: np.ndarray | None,
    given: np.ndarray,
    classes: Sequence[str],
    file_name: Sequence[str],
    split: Sequence[str] | None,
    kinds: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return counts of images that show the same picture, and the groups with different labels or in several splits.

    Args:
        groups: Number of each image's group of duplicates, (N,), −1 for none; None if nobody looked for them.
        given: Given labels, (N,).
        classes: Class names.
        file_name: What a person knows each image by, (N,).
        split: Split of each image, (N,), where there are splits.
        kinds: By what each image is known for a duplicate, places in `KINDS`, (N,), −1 for none.
    """
    if groups is None:
        return {}
    found = DuplicateGroups.of(groups, given, split, kinds)
    by_kind = {} if found.kinds is None else {"images_by_kind": {kind: found.kinds.count(kind) for kind in KINDS}}

    def listed(chosen: Sequence[bool]) -> list[list[dict[str, str | None]]]:
        return [
            [
                {
                    "file_name": file_name[row],
                    "given_label": classes[given[row]] if given[row] >= 0 else None,
                    **({} if split is None else {"split": split[row]}),
                }
                for row in rows
            ]
            for rows, take in zip(found.members, chosen, strict=True)
            if take
        ][:LISTED]

    return {
        "groups": len(found.members),
        "images": sum(map(len, found.members)),
        **by_kind,
        "groups_with_different_labels": sum(found.torn),
        "groups_in_several_splits": sum(found.across),
        "different_labels": listed(found.torn),
        "several_splits": listed(found.across),
    }
