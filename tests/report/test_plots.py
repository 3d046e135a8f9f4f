"""Places on the canvas, calculated by hand."""

from __future__ import annotations

import numpy as np
import pytest

from deft.report.page import Line
from deft.report.plots import (
    BINS,
    HEIGHT,
    POINTS,
    WIDTH,
    budget,
    histogram,
    precision_recall,
    roc,
    steps,
    threshold,
)


def places(line: Line) -> np.ndarray:
    """Points of a line as shares of the canvas, from the lower left corner, (P, 2)."""
    pairs = (pair.split(",") for pair in line.points.split())
    return np.array([(float(x) / WIDTH, 1 - float(y) / HEIGHT) for x, y in pairs])


def near(*points: tuple[float, float]) -> object:
    return pytest.approx(np.array(points), abs=2e-3)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (2300, [0, 500, 1000, 1500, 2000]),
        (7, [0, 2, 4, 6]),
        (3, [0, 1, 2, 3]),
        (1.04, [0, 1]),
        (0, [0]),
        (0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_marks_are_round_numbers(top: float, expected: list[float]) -> None:
    assert steps(top) == pytest.approx(expected)


def test_the_threshold_is_where_the_verdict_turns() -> None:
    scores = np.array([0.1, 0.2, 0.7, 0.9])
    assert threshold(scores, np.array([True, True, False, False])) == 0.5
    assert threshold(scores, np.array([True, True, True, False])) == pytest.approx(0.8)
    assert threshold(scores, np.array([True, False, True, False])) is None


def test_a_score_on_the_edge_counts_below_it_as_the_verdict_does() -> None:
    plot = histogram(np.array([0.0, 0.5, 0.5001, 1.0]), np.array([True, True, False, False]))
    bins = sorted(round((block.x - 0.5) / (WIDTH / BINS)) for block in plot.blocks)
    assert bins == [0, BINS // 2 - 1, BINS // 2, BINS - 1]
    assert [block.style for block in plot.blocks] == ["bad", "bad", "good", "good"]
    assert all(block.y >= 0 and block.height > 0 for block in plot.blocks)


def test_a_bin_with_both_shows_both_side_by_side() -> None:
    plot = histogram(np.array([0.31, 0.31]), np.array([True, False]))
    first, second = plot.blocks
    assert first.x + first.width <= second.x
    assert plot.lines == ()


def test_the_budget_curve_ends_at_all_that_is_expected_and_found() -> None:
    plot = budget(np.array([0.0, 0.5, 1.0, 1.0]), np.array([True, False, False, True]))
    expected, found = (places(line) for line in plot.lines)
    top = 2 * 1.04  # a little room above the higher end
    assert expected == near((0, 0), (0.25, 1 / top), (0.5, 1.5 / top), (0.75, 1.5 / top), (1, 1.5 / top))
    assert found == near((0, 0), (0.25, 1 / top), (0.5, 1 / top), (0.75, 1 / top), (1, 2 / top))


def test_roc_and_precision_recall_by_hand() -> None:
    scores, wrong = np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, False, True, False])
    assert places(roc(scores, wrong, 0.75).lines[1]) == near((0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1))
    assert places(precision_recall(scores, wrong, 0.83).lines[0]) == near((0.5, 1), (0.5, 0.5), (1, 2 / 3), (1, 0.5))


def test_equal_scores_come_at_once() -> None:
    curve = roc(np.array([0.3, 0.3, 0.3]), np.array([True, False, False]), 0.5)
    assert places(curve.lines[1]) == near((0, 0), (1, 1))


def test_long_lines_are_thinned_out_and_keep_their_ends() -> None:
    scores = np.linspace(0, 1, 50_000)
    line = places(budget(scores, None).lines[0])
    assert len(line) <= POINTS
    assert line[0].tolist() == [0, 0]
    assert line[-1, 0] == 1


def test_nothing_judged_is_still_a_drawing() -> None:
    nothing, none = np.zeros(0), np.zeros(0, bool)
    assert histogram(nothing, none).blocks == ()
    assert budget(nothing, None).lines
