"""What can be said of a whole data set once every label is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from deft.metrics import wilson_interval

PAIRS = 20  # confused pairs that a summary lists at the most


def summarize(
    given: np.ndarray, predicted: np.ndarray, issue: np.ndarray, p_clean: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Return counts, estimated noise rate, per-class table and the pairs most often confused.

    The estimate of the noise rate is the share of judged images that are flagged; its interval (Wilson, 95 %) says
    how far chance in the choice of images can move that share, not how far the detector may be off.

    Args:
        given: Given labels, (N,).
        predicted: Suggested labels, (N,).
        issue: Whether the label is judged wrong, (N,).
        p_clean: NaN where nothing was judged, (N,).
        classes: Class names, K of them.
    """
    judged = np.isfinite(p_clean)
    flagged, total = int(issue.sum()), int(judged.sum())
    low, high = wilson_interval(flagged, total)
    per_class = _per_class(given, predicted, issue, p_clean, classes)
    return {
        "images": len(given),
        "judged": total,
        "classes": list(classes),
        "flagged": flagged,
        "estimated_noise_rate": flagged / total if total else float("nan"),
        "noise_rate_interval": [low, high],
        "classes_flagged_whole": [row["Class Name"] for row in per_class if row["Images"] == row["Label Issues"] > 0],
        "per_class": per_class,
        "confused_pairs": _pairs(given, predicted, issue, classes),
    }


def _per_class(
    given: np.ndarray, predicted: np.ndarray, issue: np.ndarray, p_clean: np.ndarray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return cleanlab's `health_summary` columns: of the images labelled so, and of those that should have been.

    What can't be told of a class, since none of its images could be judged, is None.
    """
    judged = np.isfinite(p_clean)
    rows = []
    for index, name in enumerate(classes):
        labelled = given == index
        seen = int((labelled & judged).sum())
        wrong = int((issue & labelled).sum())
        missed = int((issue & (predicted == index) & (given != index)).sum())
        belong = seen - wrong + missed
        rows.append(
            {
                "Class Name": name,
                "Images": int(labelled.sum()),
                "Judged": seen,
                "Label Issues": wrong,
                "Inverse Label Issues": missed,
                "Label Noise": wrong / seen if seen else None,
                "Inverse Label Noise": missed / belong if belong else None,
                "Label Quality Score": 1 - wrong / seen if seen else None,
            }
        )
    return rows


def _pairs(given: np.ndarray, predicted: np.ndarray, issue: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    moved = issue & (given != predicted)
    counts = Counter(zip(given[moved].tolist(), predicted[moved].tolist(), strict=True))
    return [
        {"given": classes[a], "suggested": classes[b], "images": count} for (a, b), count in counts.most_common(PAIRS)
    ]


def probability_of(predicted: np.ndarray, topk: np.ndarray, topk_probs: np.ndarray) -> np.ndarray:
    """Return the probability of the suggested class, float64 (N,); NaN where nothing was judged.

    Args:
        predicted: Suggested class of each image, (N,), −1 where nothing was judged.
        topk: Most probable classes, (N, k).
        topk_probs: Their probabilities, (N, k).
    """
    place = (topk == predicted[:, None]).argmax(axis=1)
    probs = np.take_along_axis(topk_probs, place[:, None], axis=1)[:, 0]
    return np.where(predicted >= 0, probs, np.nan).astype(np.float64)
