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
    log_odds = np.where(found.judged, stated(np.where(found.judged, found.p_clean, 1)), -np.inf)
    near = found.reasons.near if decisions else None
    if near is None:
        return log_odds
    known = near.neighbours >= 0
    before, after = (
        (known & (labels[near.neighbours] == found.given[:, None])).sum(axis=1)
        for labels in (found.given, _labels_now(found, decisions))
    )
    changed: np.ndarray = log_odds + np.log(before + PRIOR) - np.log(after + PRIOR)
    return changed


def _labels_now(found: Detection, decisions: Mapping[str, Decision]) -> np.ndarray:
    """Return the labels with the decisions on them, int64 (N,); −1 where none of the classes fits."""
    class_of, labels = {name: number for number, name in enumerate(found.classes)}, found.given.copy()
    row_of = {name: row for row, name in enumerate(found.sample_id)}
    for name, one in decisions.items():
        if name in row_of and one.status != "skipped":
            labels[row_of[name]] = -1 if one.to_label is None else class_of.get(one.to_label, -1)
    return labels
