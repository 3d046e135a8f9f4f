"""Which labels are likely wrong among those that nobody has decided about, by what was decided about their neighbours.

A detector weighs, among others, how many of an image's nearest images have its label. Where people have found some of
these labels wrong, they vouch no longer, and images that were corrected to the label begin to. The chance of a label
given that a of n neighbours have it is estimated as (a + 1/2) / (n + K/2) (Krichevsky and Trofimov, "The performance
of universal encoding", 1981), so decisions that take a from a₀ to a₁ change the log-odds of an error by
log (a₀ + 1/2) - log (a₁ + 1/2).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.recalibration import stated

PRIOR = 0.5
"""Neighbours that count as having the label before any is looked at."""


def likely_wrong(found: Detection, decisions: Mapping[str, Decision]) -> np.ndarray:
    """Return the log-odds that each label is wrong, given the decisions about its neighbours, float64 (N,).

    Where an image's neighbours aren't known, or nobody decided about any, it is what the detector states; an image that
    wasn't judged has −inf.

    Args:
        found: The verdicts, with neighbours or what they are found by.
        decisions: What stands about each image, by sample_id.
    """
    return likely_wrong_by(found, labels_now(found, decisions))


def likely_wrong_by(found: Detection, labels: np.ndarray) -> np.ndarray:
    """Return what `likely_wrong` does, by the labels with the decisions on them.

    Args:
        found: The verdicts, with neighbours or what they are found by.
        labels: As `labels_now` has them, int64 (N,).
    """
    log_odds = np.where(found.judged, stated(np.where(found.judged, found.p_clean, 1)), -np.inf)
    near = found.reasons.near if (labels != found.given).any() else None
    if near is None:
        return log_odds
    rows = np.flatnonzero((near.neighbours >= 0).any(axis=1))
    neighbours = near.neighbours[rows]
    before, after = (
        ((neighbours >= 0) & (some[neighbours] == found.given[rows, None])).sum(axis=1)
        for some in (found.given, labels)
    )
    log_odds[rows] += np.log(before + PRIOR) - np.log(after + PRIOR)
    return log_odds


def labels_now(found: Detection, decisions: Mapping[str, Decision]) -> np.ndarray:
    """Return the labels with the decisions on them, int64 (N,); −1 where none of the classes fits.

    Args:
        found: The verdicts.
        decisions: What stands about each image, by sample_id.
    """
    class_of, labels = {name: number for number, name in enumerate(found.classes)}, found.given.astype(np.int64)
    row_of = {name: row for row, name in enumerate(found.sample_id)} if decisions else {}
    for name, one in decisions.items():
        if name in row_of:
            labels[row_of[name]] = label_of(one, int(labels[row_of[name]]), class_of)
    return labels


def label_of(one: Decision, given: int, class_of: Mapping[str, int]) -> int:
    """Return the number of an image's label with a decision on it; −1 where none of the classes fits.

    Args:
        one: What was decided.
        given: Number of the label before.
        class_of: Number of each class by name.
    """
    if one.status == "skipped":
        return given
    return -1 if one.to_label is None else class_of.get(one.to_label, -1)
