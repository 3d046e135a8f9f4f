"""The simulation of a large job, and the fit of exponents, on cases with a known answer."""

from __future__ import annotations

import pytest
from benchmarks.growth import exponent
from benchmarks.scoring import Cluster, simulate


def test_equal_parts_on_workers_that_live_take_no_longer_than_the_ideal() -> None:
    longer, lost, noted = simulate(Cluster(workers=10, parts=200, spread=0, lifetime=float("inf")), 0)
    assert longer == pytest.approx(0, abs=1e-9)
    assert lost == 0
    assert noted == dict.fromkeys(range(200), 1)


def test_whatever_dies_each_part_is_noted_once() -> None:
    longer, lost, noted = simulate(Cluster(workers=20, parts=500, lifetime=15), 0)
    assert longer > 0
    assert lost > 50
    assert noted == dict.fromkeys(range(500), 1)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_an_exponent_is_the_slope_between_the_largest_points(power: float) -> None:
    points = [(1, 50.0), *((count, count**power) for count in (100, 1000, 10_000))]
    assert exponent(points) == pytest.approx(power)
