"""How many wrong labels are left among those that nobody has decided about, and whether to go on looking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deft.runs.audit import Rate
from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.recalibration import Recalibration, expit, rounded, stated

NEXT = 20
"""Images whose expected harvest says whether looking on pays."""

WORTH = 1.0
"""Wrong labels that have to be expected among the next ones for looking on to pay."""

ENOUGH = 20
"""Images of a random sample from which on it is heard where it contradicts the scores."""

LEVEL = 0.9
"""Probability with which the number lies in its interval."""

SPREAD, TRUST = 0.2, 0.5
"""Prior standard deviation of the scores' log-odds: the least, and for each that the run's own interval says."""

FARTHEST, NEAR, UNKNOWN = 8.0, 1e-3, 2.0
"""Log-odds that no interval is wider than, on one side, and the spread of a detector that says none."""

WRONG, RIGHT, NOTHING = 1, 0, -1
SAYS_NOTHING = ("skipped", "bad_image")


@dataclass(frozen=True)
class Left:
    """What is left to find.

    Args:
        images: Judged images that nobody has decided about.
        wrong: How many of their labels are wrong: the median of what is likely.
        low: The fewest that are likely; the true number lies from here to `high` with a probability of 90 %.
        high: The most that are likely.
        by: What tells: the detector's "scores" alone, the scores with people's "decisions", or a random "sample" of
            these images alone, where it contradicts them.
        next_wrong: How many of the next 20, lowest scores first, are expected to be wrong.
    """

    images: int
    wrong: float
    low: float
    high: float
    by: Literal["scores", "decisions", "sample"]
    next_wrong: float

    @property
    def stop(self) -> bool:
        """Whether looking on no longer pays: fewer than one of the next 20 is expected to be wrong."""
        return self.next_wrong < WORTH


def verdicts_of_people(found: Detection, decisions: Mapping[str, Decision]) -> np.ndarray:
    """Return what people said of each label as the run judged it: `WRONG`, `RIGHT` or `NOTHING`, int8 (N,).

    Skipped and bad images say nothing; nor do labels that an earlier review had confirmed when the run was made, which
    it took as true.

    Args:
        found: The verdicts.
        decisions: What stands about each image, by sample_id.
    """
    said = np.full(len(found), NOTHING, np.int8)
    row_of = {name: row for row, name in enumerate(found.sample_id)} if decisions else {}
    for name, one in decisions.items():
        if name in row_of:
            said[row_of[name]] = verdict_of_people(found, row_of[name], one)
    return said


def verdict_of_people(found: Detection, row: int, one: Decision) -> int:
    """Return what people said of one label, as `verdicts_of_people` has it.

    Args:
        found: The verdicts.
        row: Number of the image.
        one: What stands about it.
    """
    score, given = float(found.p_clean[row]), int(found.given[row])
    if one.status in SAYS_NOTHING or not math.isfinite(score) or given < 0:
        return NOTHING
    if one.to_label != found.classes[given]:
        return WRONG
    return NOTHING if score >= 1 else RIGHT


def what_is_left(found: Detection, still: np.ndarray, said: np.ndarray, rate: Rate | None = None) -> Left:
    """Return how many wrong labels are left.

    By the scores, each label is wrong with the probability that the detector states, up to a recalibration that isn't
    known (`Recalibration`). Its prior is as wide as the run's own interval of the noise rate, and every decision
    makes it more certain, wherever it was made. A random sample of these images is among the decisions; where its
    Wilson interval lies wholly outside of what they give, the scores can't be right, and the sample alone tells.

    Args:
        found: The verdicts.
        still: Which images nobody has decided about, bool (N,).
        said: What people said of each label, from `verdicts_of_people`, (N,).
        rate: What people said of a random sample.
    """
    log_odds = stated(np.where(found.judged, found.p_clean, 1))
    decided, open_ = said != NOTHING, still & found.judged
    known = Recalibration.learn(
        log_odds[decided], said[decided] == WRONG, found.given[decided], spread=_spread(found, log_odds)
    )
    rest = log_odds[open_]
    low, middle, high = known.quantiles(rest, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2))
    harvest = float(known.chances(_largest(rest, NEXT)).sum())
    if rate is not None and rate.seen >= ENOUGH and not _meet((low, high), (rate.low, rate.high), len(rest)):
        factor = rate.share * len(rest) / max(middle, 1)
        harvest = min(harvest * factor, float(min(NEXT, len(rest))))
        return Left(len(rest), rate.share * len(rest), rate.low * len(rest), rate.high * len(rest), "sample", harvest)
    return Left(len(rest), middle, low, high, "decisions" if bool(decided.any()) else "scores", harvest)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    return values if len(values) <= count else np.partition(values, len(values) - count)[-count:]


def _meet(counts: tuple[int, int], shares: tuple[float, float], images: int) -> bool:
    return shares[0] * images <= counts[1] + 0.5 and counts[0] - 0.5 <= shares[1] * images


def _spread(found: Detection, log_odds: np.ndarray) -> float:
    """Return the prior standard deviation of the scores' log-odds.

    The run's interval of the noise rate says how wide it is: by so much all log-odds would have to be moved for their
    probabilities to sum up to either end.
    """
    evidence = found.info.get("evidence") or {}
    ends = evidence.get("noise_rate_interval")
    values, copies = rounded(log_odds[found.judged])
    if not ends or not len(values):
        return UNKNOWN
    count = int(copies.sum())

    def moved(share: float) -> float:
        def over(shift: float) -> float:
            return float(expit(values + shift) @ copies) - share * count

        if over(-FARTHEST) >= 0 or over(FARTHEST) <= 0:
            return FARTHEST
        low, high = -FARTHEST, FARTHEST
        while high - low > NEAR:
            middle = (low + high) / 2
            low, high = (middle, high) if over(middle) < 0 else (low, middle)
        return abs(low + high) / 2

    own = float(expit(values) @ copies) / count
    sides = [moved(end) if (end < own) == below else 0.0 for end, below in ((ends[0], True), (ends[1], False))]
    return math.hypot(SPREAD, TRUST * sum(sides) / 2 / 1.96)


def border(found: Detection) -> float:
    """Return the score at which a label begins to be believed: halfway from the last flagged to the first that passes.

    Args:
        found: The verdicts.
    """
    flagged, passed = found.p_clean[found.is_label_issue], found.p_clean[found.judged & found.is_clean]
    low = float(flagged.max()) if len(flagged) else 0.0
    high = float(passed.min()) if len(passed) else 1.0
    return (low + high) / 2
