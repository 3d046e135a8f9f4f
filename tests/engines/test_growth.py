"""The simulation of a large job, and the fit of exponents, on cases with a known answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from benchmarks.growth import exponent, in_order, measure, memory
from benchmarks.growth_actions import Watch, make, vpt
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


def test_of_an_action_that_says_which_seconds_count_only_these_do() -> None:
    def busy() -> None:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    assert (measure(lambda: 0.125, 60) or {})["seconds"] == 0.125
    assert (measure(busy, 60) or {})["seconds"] >= 0.05


def test_a_task_lasts_until_the_next_one_begins() -> None:
    watch = Watch()
    watch.begun = [("first", 1.0), ("second", 3.0), ("third", 10.0)]
    assert watch.seconds("second") == 7.0


def test_the_second_epoch_of_visual_prompts_is_measured(tmp_path: Path) -> None:
    make(tmp_path, 40, 2)
    before = time.process_time()
    assert 0 < vpt(tmp_path) < time.process_time() - before


def test_memory_ends_where_a_straight_line_reaches_24_gb() -> None:
    points = [
        {"grows": "scores", "images": 20_000, "classes": kinds, "action": "posterior", "seconds": 1.0, "mb": mb}
        for kinds, mb in ((500, 1000.0), (1000, 2000.0), (2000, 4000.0))
    ]
    assert memory(points).endswith("100 bytes for each of 20,000 images and a class; 24 GB end at 12,000 classes.")
    assert memory(points[:1]) == ""


def test_what_was_measured_stands_in_one_order() -> None:
    one = {"grows": "classes", "images": 2000, "classes": 2, "action": "read"}
    two = {**one, "grows": "images"}
    three = {**two, "action": "vpt"}
    assert in_order([one, three, two]) == [two, three, one]
