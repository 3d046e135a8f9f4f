"""What kind of error an image is suspected of: one rule, from the verdict and what else is known of the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from deft.runs.vocabulary import SET_ASIDE, IssueKind

if TYPE_CHECKING:
    from deft.runs.detection import Detection

AMBIGUOUS = 0.5
"""Share of the best class's probability from which on the second class fits the image as well."""

UNSEEN = frozenset(["blank", "nearly black", "nearly white"])
"""Notes of pictures (`image_note`) on which nothing can be seen."""


def issue_kinds(found: Detection) -> tuple[IssueKind | None, ...]:
    """Return the kind of error that each image is suspected of, (N,); None where nothing is.

    The first of these that holds:

    - "unreadable_or_blank": the file can't be read, or the picture is of one colour, flagged or not;
    - "conflicting_duplicate": the same picture stands elsewhere under another label, and this label is flagged, or
      none of the copies' is;
    - "none_of_the_classes": flagged, and the image probably shows none of them, or no other class fits better;
    - "ambiguous": flagged, and the second class is at least half as probable as the first;
    - "wrong_label": flagged, and another class fits.

    Args:
        found: The verdicts.

    Example:
        >>> found.table.query("issue_kind == 'none_of_the_classes'")  # doctest: +SKIP
    """
    flagged, conflict = found.is_label_issue, conflicts(found)
    kinds: list[IssueKind | None] = [None] * len(found)
    two = _ambiguous(found.verdicts.topk_probs)
    for row in np.flatnonzero(flagged).tolist():
        kinds[row] = "ambiguous" if two[row] else "wrong_label"
    for row in np.flatnonzero(flagged & (found.suggested < 0)).tolist():
        kinds[row] = "none_of_the_classes"
    for row in np.flatnonzero(conflict).tolist():
        kinds[row] = "conflicting_duplicate"
    for row in unseen(found.image_notes) | _unreadable(found):
        kinds[row] = "unreadable_or_blank"
    return tuple(kinds)


def count_kinds(kinds: Sequence[IssueKind | None]) -> dict[str, int]:
    """Return how many images are suspected of each kind of error, most first.

    Args:
        kinds: From `issue_kinds`.

    Example:
        >>> count_kinds(["wrong_label", None, "wrong_label"])
        {'wrong_label': 2}
    """
    return dict(Counter(kind for kind in kinds if kind is not None).most_common())


def conflicts(found: Detection) -> np.ndarray:
    """Return which images have a duplicate with another label that the verdicts don't settle, bool (N,).

    Args:
        found: The verdicts.
    """
    marked = np.zeros(len(found), bool)
    groups, flagged = found.verdicts.duplicate_group, found.is_label_issue
    if groups is None:
        return marked
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero((groups >= 0) & found.judged).tolist():
        members.setdefault(int(groups[row]), []).append(row)
    for rows in members.values():
        if len({int(found.given[row]) for row in rows}) > 1:
            marked[rows] = flagged[rows] if flagged[rows].any() else True
    return marked


def unseen(notes: Mapping[int, str]) -> set[int]:
    """Return the rows of pictures on which nothing can be seen.

    Args:
        notes: Row to what is odd about a picture.
    """
    return {row for row, note in notes.items() if set(note.split("; ")) & UNSEEN}


def _unreadable(found: Detection) -> set[int]:
    """Rows that have a label but no picture; what a person has set aside is settled."""
    settled = set(SET_ASIDE.values())
    return {row for row, why in found.read_errors.items() if found.given[row] >= 0 and why not in settled}


def _ambiguous(probs: np.ndarray) -> np.ndarray:
    """Return where the second class is nearly as probable as the first, bool (N,), of probabilities (N, k)."""
    if probs.shape[1] < 2:
        return np.zeros(len(probs), bool)
    with np.errstate(invalid="ignore"):
        two: np.ndarray = probs[:, 1] >= AMBIGUOUS * probs[:, 0]
    return two
