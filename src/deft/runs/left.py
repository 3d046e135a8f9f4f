"""How many wrong labels are left among those that nobody has decided about, and whether to go on looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deft.runs.audit import Rate
from deft.runs.detection import Detection

NEXT = 20
"""Images whose expected harvest says whether looking on pays."""

WORTH = 1.0
"""Wrong labels that have to be expected among the next ones for looking on to pay."""

ENOUGH = 20
"""Images of a random sample from which on it is believed rather than the scores."""


@dataclass(frozen=True)
class Left:
    """What is left to find.

    Args:
        images: Judged images that nobody has decided about.
        wrong: How many of their labels are wrong, as expected.
        low: The fewest that are likely.
        high: The most that are likely.
        by: "sample" where people looked at a random sample, "scores" where only the detector's scores tell.
        next_wrong: How many of the next 20, lowest scores first, are expected to be wrong.
    """

    images: int
    wrong: float
    low: float
    high: float
    by: Literal["sample", "scores"]
    next_wrong: float

    @property
    def stop(self) -> bool:
        """Whether looking on no longer pays: fewer than one of the next 20 is expected to be wrong."""
        return self.next_wrong < WORTH


def what_is_left(found: Detection, still: np.ndarray, rate: Rate | None = None) -> Left:
    """Return how many wrong labels are left.

    By the scores, it is the sum of 1 − P(right) over the images; how far that may be off is what the detector says of
    its own estimate (`noise_rate_interval`). By a random sample of them, it is the share that was wrong, with Wilson's
    interval. Nothing is guessed from the images that were decided: the doubtful ones were, so they are no fair sample.

    Args:
        found: The verdicts.
        still: Which images nobody has decided about, bool (N,).
        rate: What people said of a random sample.
    """
    chances = np.sort(1 - found.p_clean[still & found.judged].astype(np.float64))[::-1]
    count, expected = len(chances), float(chances.sum())
    harvest = float(chances[:NEXT].sum())
    if rate is not None and rate.seen >= ENOUGH:
        share = rate.share
        factor = min(share * count / expected, 1.0) if expected > 0 else 1.0
        return Left(count, share * count, rate.low * count, rate.high * count, "sample", harvest * factor)
    evidence = found.info.get("evidence") or {}
    whole, ends = evidence.get("noise_rate"), evidence.get("noise_rate_interval")
    low, high = (ends[0] / whole, ends[1] / whole) if whole and ends else (1.0, 1.0)
    chance = 1.96 * float(np.sqrt((chances * (1 - chances)).sum()))
    ends = (max(expected * low - chance, 0.0), min(expected * high + chance, float(count)))
    return Left(count, expected, *ends, "scores", harvest)


def border(found: Detection) -> float:
    """Return the score at which a label begins to be believed: halfway from the last flagged to the first that passes.

    Args:
        found: The verdicts.
    """
    flagged, passed = found.p_clean[found.is_label_issue], found.p_clean[found.judged & found.is_clean]
    low = float(flagged.max()) if len(flagged) else 0.0
    high = float(passed.min()) if len(passed) else 1.0
    return (low + high) / 2
