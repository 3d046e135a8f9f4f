"""Neighbours whose labels were found wrong no longer vouch for a label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deft.runs.decisions import Decision, now
from deft.runs.detection import Detection
from deft.runs.near import Near
from deft.runs.onward import likely_wrong
from deft.runs.recalibration import stated
from deft.runs.vocabulary import Status

from .test_near import detection


def decided(found: Detection, row: int, status: Status, label: str | None) -> tuple[str, Decision]:
    name = found.sample_id[row]
    return name, Decision(name, status, found.classes[found.given[row]], label, "Ada", now())


def looked_up() -> Detection:
    """Image 8, a lime like 2, 5, 11, 14 and 17, which are its neighbours; nobody looked for those of the others."""
    neighbours = np.full((60, 5), -1)
    neighbours[8] = [2, 5, 11, 14, 17]
    return replace(detection(), near=Near(neighbours, np.zeros((60, 5), np.float32), np.full((3, 4), -1)))


def test_without_decisions_it_is_what_the_detector_states() -> None:
    found = looked_up()
    assert np.array_equal(likely_wrong(found, {}), stated(found.p_clean))
    kept = dict([decided(found, row, "kept", "lime") for row in (2, 5)])
    assert np.array_equal(likely_wrong(found, kept), stated(found.p_clean))
    assert np.array_equal(likely_wrong(found, dict([decided(found, 2, "skipped", None)])), stated(found.p_clean))


@pytest.mark.parametrize(
    ("row", "status", "label"), [(2, "corrected", "lemon"), (2, "none_of_these", None), (2, "bad_image", None)]
)
def test_a_neighbour_that_was_wrong_vouches_no_longer(row: int, status: Status, label: str | None) -> None:
    found = looked_up()
    change = likely_wrong(found, dict([decided(found, row, status, label)])) - stated(found.p_clean)
    assert change[8] == pytest.approx(np.log(5.5 / 4.5))
    assert not np.delete(change, 8).any()


def test_a_neighbour_that_was_corrected_to_the_label_vouches() -> None:
    found = looked_up()
    given = found.given.copy()
    given[2] = 1
    other = replace(found, given=given)
    change = likely_wrong(other, dict([decided(other, 2, "corrected", "lime")])) - stated(found.p_clean)
    assert change[8] == pytest.approx(np.log(4.5 / 5.5))


def test_what_was_not_judged_comes_last() -> None:
    found = looked_up()
    p_clean = found.p_clean.copy()
    p_clean[8] = np.nan
    blind = replace(found, verdicts=replace(found.verdicts, p_clean=p_clean), read_errors={8: "not an image"})
    assert likely_wrong(blind, dict([decided(blind, 2, "corrected", "lemon")]))[8] == -np.inf
