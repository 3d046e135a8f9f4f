"""Geometry of the drawings with two axes: numbers in, places on a canvas out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deft.report.page import Block, Line, Plot, Tick
from deft.report.words import count

WIDTH, HEIGHT = 360, 200  # of the field inside the axes
POINTS = 200  # of a line at the most
BINS = 40

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """From values to places.

    Args:
        right: Largest value of the horizontal axis, which starts at 0.
        top: Largest value of the vertical axis, which starts at 0.
    """

    right: float
    top: float

    def x(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return round(WIDTH * value / self.right, 1)

    def y(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        return round(HEIGHT * (1 - value / self.top), 1)

    def line(self, across: Floats, up: Floats, style: str, name: str = "") -> Line:
        """Return a line through the points, thinned out to what a screen can show."""
        chosen = np.unique(np.linspace(0, len(across) - 1, POINTS).round().astype(np.int64))
        places = (f"{self.x(float(across[row]))},{self.y(float(up[row]))}" for row in chosen)
        return Line(" ".join(places), style, name)


def steps(top: float, about: int = 5) -> list[float]:
    """Return round numbers from 0 up to `top`.

    Example:
        >>> steps(2300)
        [0.0, 500.0, 1000.0, 1500.0, 2000.0]
    """
    if top <= 0:
        return [0.0]
    size = 10.0 ** math.floor(math.log10(top / about))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if top / (size * factor) <= about)
    if step < 1 < top:
        step = 1.0
    return [step * number for number in range(math.floor(top / step + 1e-9) + 1)]


def counted(top: float, axes_place: list[float]) -> tuple[Tick, ...]:
    """Return the marks of an axis of counts at the places given."""
    return tuple(Tick(place, count(value)) for value, place in zip(steps(top), axes_place, strict=True))


def shares(vertical: bool) -> tuple[Tick, ...]:
    """Return the marks of an axis from 0 to 1."""
    axes = Axes(1, 1)
    return tuple(Tick(axes.y(at) if vertical else axes.x(at), f"{at:g}") for at in (0, 0.25, 0.5, 0.75, 1))


def threshold(p_clean: Floats, flagged: npt.NDArray[np.bool_]) -> float | None:
    """Return the score up to which labels are flagged; None where no single score parts them.

    Args:
        p_clean: Scores of the judged, (N,).
        flagged: Whether each is flagged, (N,).
    """
    low = float(p_clean[flagged].max()) if flagged.any() else 0.0
    high = float(p_clean[~flagged].min()) if (~flagged).any() else 1.0
    if low >= high:
        return None
    return 0.5 if low <= 0.5 <= high else (low + high) / 2


def histogram(p_clean: Floats, flagged: npt.NDArray[np.bool_]) -> Plot:
    """Return the histogram of the scores, of flagged and of kept labels, with the threshold.

    Args:
        p_clean: Scores of the judged, (N,).
        flagged: Whether each is flagged, (N,).
    """
    # Bins include their right end, as the verdict does: a score of exactly 0.5 is flagged.
    bin_of = np.clip(np.ceil(p_clean * BINS).astype(np.int64) - 1, 0, BINS - 1)
    two = [np.bincount(bin_of[mask], minlength=BINS) for mask in (flagged, ~flagged)]
    top = math.log10(1 + max(int(np.max(two)), 1)) * 1.04
    axes = Axes(BINS, top)
    blocks = []
    for style, heights, other in (("bad", two[0], two[1]), ("good", two[1], two[0])):
        for place, height in enumerate(heights.tolist()):
            if height:
                half = bool(other[place])
                x = axes.x(place + (0.5 if half and style == "good" else 0)) + 0.5
                y = axes.y(math.log10(1 + height))
                wide = WIDTH / BINS / (2 if half else 1) - 1
                says = f"{place / BINS:g} to {(place + 1) / BINS:g}: {count(height)}"
                blocks.append(Block(round(x, 1), y, wide, round(HEIGHT - y, 1), style, says))
    cut = threshold(p_clean, flagged)
    lines = () if cut is None else (Line(f"{WIDTH * cut:.1f},0 {WIDTH * cut:.1f},{HEIGHT}", "guide"),)
    limit = "" if cut is None else f", threshold {cut:.2g}"
    kept = count(int((~flagged).sum()))
    decades = [10**power for power in range(int(top) + 1)]
    return Plot(
        title=f"Scores of {count(len(p_clean))} labels{limit}",
        told=f"Histogram of the scores: {count(int(flagged.sum()))} flagged, {kept} kept{limit}.",
        x_name="score: P(label is right)",
        y_name="images (logarithmic)",
        x_ticks=shares(vertical=False),
        y_ticks=(Tick(HEIGHT, "0"), *(Tick(axes.y(math.log10(1 + number)), count(number)) for number in decades)),
        lines=lines,
        blocks=tuple(blocks),
        legend=(("bad", "flagged"), ("good", "kept"), *((("guide", "threshold"),) if lines else ())),
    )


def budget(p_clean: Floats, wrong: npt.NDArray[np.bool_] | None) -> Plot:
    """Return how many wrong labels the first n hold, in the order of the gallery.

    Args:
        p_clean: Scores, lowest first, (N,).
        wrong: Whether each label is wrong, in the same order, where that is known.
    """
    looked = np.arange(len(p_clean) + 1, dtype=np.float64)
    expected = np.concatenate([[0.0], np.cumsum(1 - p_clean)])
    lines = [("main", "expected from the scores", expected)]
    if wrong is not None:
        lines.append(("second", "really found", np.concatenate([[0.0], np.cumsum(wrong, dtype=np.float64)])))
    axes = Axes(max(len(p_clean), 1), max(*(float(curve[-1]) for _, _, curve in lines), 1.0) * 1.04)
    return Plot(
        title="Look at n images, find m wrong labels",
        told=f"Of {count(len(p_clean))} labels {count(expected[-1])} are expected to be wrong.",
        x_name="images looked at, worst first",
        y_name="wrong labels",
        x_ticks=counted(axes.right, [axes.x(value) for value in steps(axes.right)]),
        y_ticks=counted(axes.top, [axes.y(value) for value in steps(axes.top)]),
        lines=tuple(axes.line(looked, curve, style, name) for style, name, curve in lines),
        legend=tuple((style, name) for style, name, _ in lines),
    )


def roc(p_clean: Floats, wrong: npt.NDArray[np.bool_], area: float) -> Plot:
    """Return the ROC curve: wrong labels found against right labels called wrong, with the area under it."""
    hits, others = _counts(p_clean, wrong)
    axes = Axes(1, 1)
    diagonal = axes.line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "guide")
    return Plot(
        title=f"ROC, area {area:.3f}",
        told=f"ROC curve, area under it {area:.3f}.",
        x_name="share of the right labels that are called wrong",
        y_name="share of the wrong labels found",
        x_ticks=shares(vertical=False),
        y_ticks=shares(vertical=True),
        lines=(diagonal, axes.line(others / others[-1], hits / hits[-1], "main")),
    )


def precision_recall(p_clean: Floats, wrong: npt.NDArray[np.bool_], area: float) -> Plot:
    """Return the curve of precision against recall among the first n, with the average precision."""
    hits, others = _counts(p_clean, wrong)
    axes = Axes(1, 1)
    precision = hits[1:] / (hits[1:] + others[1:])
    return Plot(
        title=f"Precision and recall, average precision {area:.3f}",
        told=f"Precision-recall curve, average precision {area:.3f}.",
        x_name="recall: share of the wrong labels found",
        y_name="precision: share of the found that are wrong",
        x_ticks=shares(vertical=False),
        y_ticks=shares(vertical=True),
        lines=(axes.line(hits[1:] / hits[-1], precision, "main"),),
    )


def _counts(p_clean: Floats, wrong: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the numbers of wrong and right labels among the lowest scores; equal scores come at once."""
    order = np.argsort(p_clean, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p_clean[order])), len(order) - 1)
    hits = np.cumsum(wrong[order], dtype=np.float64)[last]
    return np.concatenate([[0.0], hits]), np.concatenate([[0.0], last + 1 - hits])
