"""Draws docs/pictures/evidence.png: how the default verdict goes from images to flags, on made data.

python scripts/picture_evidence.py

Four classes of 250 points in 16 dimensions (two are drawn), 15 % of the labels made wrong, and 60 points of none of
the classes with random labels. Two experts are heard, the discriminant and the neighbours; no model is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deft.evidence.discriminant import Discriminant
from deft.evidence.foreign import Foreign, looks
from deft.evidence.neighbours import Neighbours
from deft.evidence.weighing import weigh
from deft.noise import symmetric
from deft.transition import best_threshold

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "evidence.png"
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#b7791f")
CLASSES, EACH, GUESTS, WIDTH = 4, 250, 60, 16


@dataclass(frozen=True)
class Made:
    """Points with labels, and what is held of them.

    Args:
        points: (N, 16).
        labels: Given labels, (N,).
        wrong: Whether each label is wrong, (N,).
        right: P(right) of each label, (N,).
        none: P(none of the classes) of each point, (N,).
        border: P(right) below which a label is flagged.
    """

    points: Tensor
    labels: Tensor
    wrong: np.ndarray
    right: np.ndarray
    none: np.ndarray
    border: float


def make() -> Made:
    """Make the points, and judge their labels."""
    rng = np.random.default_rng(3)
    truth = np.repeat(np.arange(CLASSES), EACH)
    places = 2.2 * np.array([[-1, 1], [1, 1], [-1, -1], [1, -1]])
    points = rng.normal(size=(len(truth) + GUESTS, WIDTH))
    points[: len(truth), :2] += places[truth]
    points[len(truth) :] *= 3  # unlike anything else, and unlike each other
    noisy = symmetric(truth, 0.15, num_classes=CLASSES, seed=0)
    labels = torch.from_numpy(np.concatenate([noisy, rng.integers(CLASSES, size=GUESTS)]))
    wrong = labels.numpy() != np.concatenate([truth, np.full(GUESTS, -1)])
    return judge(torch.from_numpy(points).float(), labels, wrong)


def judge(points: Tensor, labels: Tensor, wrong: np.ndarray) -> Made:
    """Go the way of docs/deft.md: experts, weights and noise, none of these, border."""
    near = Neighbours.fit(points, labels, classes=CLASSES)
    shares, copies = near.compare(points, labels)
    fitted = Discriminant.fit(points, labels, classes=CLASSES, shrinkage=0.1)
    experts = [fitted.scores(points, labels, copies).log_softmax(dim=1), shares.log_softmax(dim=1)]
    found = weigh(experts, labels, torch.arange(len(labels)) % 2 == 0)
    log_probs, joint = found.explanations.believe(experts, labels)
    likelihood, seen = joint.logsumexp(dim=1), looks(fitted.unusualness(points), log_probs)
    none = Foreign.learn(seen, likelihood, CLASSES).probability(seen, likelihood)
    right = joint.softmax(dim=1).gather(1, labels[:, None]).squeeze(1) * (1 - none)
    return Made(points, labels, wrong, right.numpy(), none.numpy(), 1 - best_threshold(1 - right))


def draw(made: Made, scatter: Any, bars: Any) -> None:
    """Draw the points with what is flagged, and how P(right) is spread."""
    flagged = made.right < made.border
    for label, colour in enumerate(COLOURS):
        own = (made.labels == label).numpy()
        scatter.scatter(*made.points[own, :2].T, s=9, color=colour, label=f"labelled {'ABCD'[label]}")
    for rows, marker, size, name in (
        (flagged & (made.none <= 0.5), "o", 52, "flagged"),
        (flagged & (made.none > 0.5), "s", 52, "flagged: none of these"),
    ):
        x, y = made.points[rows, :2].T
        line = {"facecolors": "none", "edgecolors": "#1a202c", "linewidths": 0.8}
        scatter.scatter(x, y, s=size, marker=marker, label=name, **line)
    scatter.set(title="Labels, and those that are flagged", xticks=[], yticks=[], ylim=(-13, 9))
    scatter.legend(frameon=False, fontsize=8, loc="lower center", ncols=2)
    edges = np.linspace(0, 1, 21)
    bars.hist(
        [made.right[~made.wrong], made.right[made.wrong]],
        edges,
        color=("#a0aec0", "#c53030"),
        label=("right labels", "wrong labels"),
    )
    bars.axvline(made.border, color="#1a202c", linestyle="--", linewidth=1)
    bars.annotate("flagged below", (made.border - 0.02, 300), ha="right", fontsize=9)
    bars.set(title="P(right), a probability", xlabel="label_score", ylabel="labels", yscale="log")
    bars.legend(frameon=False, fontsize=8, loc="upper center")


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    made = make()
    figure, (scatter, bars) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    draw(made, scatter, bars)
    for axes in (scatter, bars):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    flagged = made.right < made.border
    hits = int((flagged & made.wrong).sum())
    print(
        f"{int(made.wrong.sum())} of {len(flagged)} labels are wrong; {int(flagged.sum())} flagged, {hits} of them "
        f"rightly; the mean of 1 - P(right) is {1 - made.right.mean():.3f} where {made.wrong.mean():.3f} are wrong"
    )


if __name__ == "__main__":
    main()
