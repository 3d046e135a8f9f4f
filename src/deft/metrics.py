"""How good a search for wrong labels was, when the truth is known. A wrong label is the positive."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from deft.errors import DataError, SettingsError

Bools = npt.NDArray[np.bool_]
NAN = float("nan")


@dataclass(frozen=True, repr=False)
class DetectionScores:
    """Scores of a search for wrong labels; NaN where one is undefined, such as the recall of no wrong label.

    Args:
        precision: Share of the flagged labels that are wrong.
        recall: Share of the wrong labels that are flagged.
        f1: Harmonic mean of the two.
        auroc: Chance that a wrong label has a lower P(clean) than a right one.
        average_precision: Mean precision down the list of images sorted by P(clean).
        flagged: Number of flagged labels.
        wrong: Number of wrong labels.
        estimated_noise_rate: Share of the judged labels that is flagged.
        true_noise_rate: Share of the judged labels that is wrong.
        precision_at_noise_rate: Share of wrong labels among the W lowest P(clean), W being their number.
        suggestion_accuracy: Share of the wrong and flagged labels whose suggestion is the truth.
    """

    precision: float
    recall: float
    f1: float
    auroc: float
    average_precision: float
    flagged: int
    wrong: int
    estimated_noise_rate: float
    true_noise_rate: float
    precision_at_noise_rate: float
    suggestion_accuracy: float

    def __repr__(self) -> str:
        shown = ("precision", "recall", "f1", "auroc", "average_precision")
        scores = ", ".join(f"{name}={getattr(self, name):.3f}" for name in shown)
        return f"DetectionScores({scores}, flagged={self.flagged}, wrong={self.wrong})"


def score_detection(
    is_issue: npt.ArrayLike,
    p_clean: npt.ArrayLike,
    given: npt.ArrayLike,
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
) -> DetectionScores:
    """Compare a detector's verdicts with the truth.

    Rows without a score (NaN, images that can't be read) and rows without a truth (below zero) don't count.

    Args:
        is_issue: Whether the detector calls the label wrong, (N,) bool.
        p_clean: Its probability that the label is right, (N,).
        given: The labels it judged, (N,) integers.
        truth: The true labels, (N,) integers.
        predicted: The labels it suggests, (N,) integers.

    Returns:
        The scores.

    Raises:
        DataError: The arrays differ in length.

    Example:
        >>> score_detection([True, False], [0.1, 0.8], [0, 1], [1, 1], [1, 1]).f1
        1.0
    """
    flags, clean, labels, true, suggested = _rows(is_issue, p_clean, given, truth, predicted)
    judged = ~np.isnan(clean.astype(np.float64)) & (true >= 0)
    flagged, score = flags[judged].astype(bool), -clean[judged].astype(np.float64)
    wrong = labels[judged] != true[judged]
    hits, n_wrong = int((flagged & wrong).sum()), int(wrong.sum())
    worst = np.argsort(-score, kind="stable")[:n_wrong]
    return DetectionScores(
        precision=_share(hits, int(flagged.sum())),
        recall=_share(hits, n_wrong),
        f1=_share(2 * hits, int(flagged.sum()) + n_wrong),
        auroc=auroc(wrong, score),
        average_precision=average_precision(wrong, score),
        flagged=int(flagged.sum()),
        wrong=n_wrong,
        estimated_noise_rate=_share(int(flagged.sum()), len(wrong)),
        true_noise_rate=_share(n_wrong, len(wrong)),
        precision_at_noise_rate=_share(int(wrong[worst].sum()), n_wrong),
        suggestion_accuracy=_share(
            int((suggested[judged] == true[judged])[flagged & wrong].sum()), int((flagged & wrong).sum())
        ),
    )


def auroc(positive: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the chance that a positive scores higher than a negative, equal scores counting half.

    It is the area under the ROC curve (Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", 1982). Here and not from scikit-learn, which takes seconds to import: a report of a
    finished run doesn't wait for it.

    Args:
        positive: Which rows are positive, (N,) bool.
        score: Their scores, (N,).

    Returns:
        The area, 0..1; NaN where all rows are of one kind.

    Raises:
        DataError: The arrays differ in length.

    Example:
        >>> auroc([True, False, True], [0.9, 0.5, 0.4])
        0.5
    """
    hits, others = _ranked(positive, score)
    if not (hits[-1] and others[-1]):
        return NAN
    # Each step of the curve is a trapezium: what is found among equal scores is spread evenly over them.
    return float((np.diff(others) * (hits[1:] + hits[:-1]) / 2).sum() / (hits[-1] * others[-1]))


def average_precision(positive: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the mean precision down the list of rows sorted by score, Σ (R_n − R_{n−1}) P_n.

    It is the area under the precision-recall curve without interpolation, as scikit-learn has it; equal scores count
    as one step.

    Args:
        positive: Which rows are positive, (N,) bool.
        score: Their scores, (N,).

    Returns:
        The mean, 0..1; NaN where no row is positive.

    Raises:
        DataError: The arrays differ in length.

    Example:
        >>> round(average_precision([True, False, True], [0.9, 0.5, 0.4]), 3)
        0.833
    """
    hits, others = _ranked(positive, score)
    if not hits[-1]:
        return NAN
    return float((np.diff(hits) * hits[1:] / (hits[1:] + others[1:])).sum() / hits[-1])


def clean_selection(is_clean: npt.ArrayLike, given: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[float, float]:
    """Return the precision and recall of the images kept as clean, as in table 1 of the paper.

    Source: Wei et al., "Vision-Language Models are Strong Noisy Label Detectors", NeurIPS 2024.

    Args:
        is_clean: Whether the label is kept, (N,) bool.
        given: The labels, (N,) integers.
        truth: The true labels, (N,) integers; rows below zero don't count.

    Returns:
        Share of the kept labels that are right, and share of the right labels that are kept; NaN for none.

    Raises:
        DataError: The arrays differ in length.
    """
    kept, labels, true = _rows(is_clean, given, truth)
    known = true >= 0
    kept, right = kept[known].astype(bool), labels[known] == true[known]
    hits = int((kept & right).sum())
    return _share(hits, int(kept.sum())), _share(hits, int(right.sum()))


def accuracy(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the share of predictions that are right.

    Args:
        predicted: Classes, (N,) integers.
        truth: True classes, (N,) integers; rows below zero don't count.

    Returns:
        The share, 0..1; NaN for no row.

    Raises:
        DataError: The arrays differ in length.
    """
    guesses, true = _rows(predicted, truth)
    known = true >= 0
    return _share(int((guesses[known] == true[known]).sum()), int(known.sum()))


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the confidence interval of a share that was counted.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        successes: Number counted.
        total: Number looked at.
        confidence: Chance that the interval holds the true share.

    Returns:
        Lower and upper end, 0..1; (0, 1) when nothing was looked at.

    Raises:
        SettingsError: The numbers aren't counts or the confidence isn't between 0 and 1.
    """
    if not 0 <= successes <= total:
        raise SettingsError(f"A share needs 0 <= successes <= total, not {successes} of {total}.")
    if not 0 < confidence < 1:
        raise SettingsError(f"The confidence must lie between 0 and 1, not {confidence}.")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = successes / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * ((share * (1 - share) + spread / 4) / total) ** 0.5 / (1 + spread)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == total else min(1.0, centre + half)


def expected_calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = 15) -> float:
    """Return the mean distance between stated confidence and measured accuracy over bins of equal width.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.

    Args:
        confidence: Stated probability of being right, (N,) in 0..1.
        correct: Whether it was right, (N,) bool.
        bins: Number of bins.

    Returns:
        The error, 0..1; NaN for no row.

    Raises:
        SettingsError: There is no bin.
        DataError: The arrays differ in length or a confidence lies outside 0..1.
    """
    if bins < 1:
        raise SettingsError(f"Calibration needs at least one bin, not {bins}.")
    stated, right = (column.astype(np.float64) for column in _rows(confidence, correct))
    if not len(stated):
        return NAN
    if not ((stated >= 0) & (stated <= 1)).all():
        raise DataError("Confidences must lie in 0..1; some of them do not.")
    bin_of = np.clip(np.ceil(stated * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=right - stated, minlength=bins)
    return float(np.abs(gaps).sum() / len(stated))


def _ranked(positive: npt.ArrayLike, score: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return positives and negatives among the highest scores, from none to all; equal scores come at once."""
    kinds, scores = _rows(positive, score)
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, [True] * bool(len(order))))
    hits = np.cumsum(kinds[order].astype(np.float64))[last]
    return np.concatenate([[0.0], hits]), np.concatenate([[0.0], last + 1 - hits])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NAN


def _rows(*columns: npt.ArrayLike) -> list[npt.NDArray[Any]]:
    """Return the columns as arrays of one row each, all of one length."""
    arrays = [np.asarray(column) for column in columns]
    if any(array.ndim != 1 or len(array) != len(arrays[0]) for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise DataError(f"Every column must have one value per image; the shapes are {shapes}.")
    return arrays
