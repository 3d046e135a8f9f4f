"""Neighbours by an index: nearly those of comparing with all, of one kind with them, and never needed."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from deft.runs import near, near_index
from deft.runs.detection import Detection, Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.near import NEAREST, Space
from deft.runs.near_index import NearIndex

DIGITS = 1797


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pixels of real handwritten digits, and what they show."""
    from sklearn.datasets import load_digits

    bundled = load_digits()
    return np.asarray(bundled.data, np.float16), np.asarray(bundled.target, np.int64)


@pytest.fixture
def space(digits: tuple[np.ndarray, np.ndarray]) -> Space:
    """Of the digits; the last ten may be nobody's neighbours."""
    return Space.of(DiskRows.of(digits[0]), np.arange(DIGITS) < DIGITS - 10, np.full(DIGITS, -1))


@pytest.fixture
def found(digits: tuple[np.ndarray, np.ndarray]) -> Detection:
    """The same with a label each, every twentieth of them wrong and flagged."""
    values, true = digits
    flagged = np.arange(DIGITS) % 20 == 0
    p_clean = np.where(flagged, 0.1, 0.9).astype(np.float32)
    topk = np.stack([true, (true + 1) % 10], axis=1)
    probs = np.tile(np.array([0.8, 0.1], np.float32), (DIGITS, 1))
    names = tuple(str(row) for row in range(DIGITS))
    return Detection(
        sample_id=names,
        file_name=names,
        split=None,
        classes=tuple("0123456789"),
        given=np.where(flagged, (true + 3) % 10, true),
        verdicts=Verdicts(p_clean, ~flagged, true, topk, probs, features=DiskRows.of(values)),
        read_errors={},
        settings={},
    )


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits at which these digits are very many."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(near_index, "AT_LEAST", 6)  # of 85 clusters, about the share that is searched of thousands
    monkeypatch.setattr(near, "EXACT_UP_TO", 100)
    monkeypatch.setattr(near, "WORTH_AN_INDEX", 100)


def recall(found: np.ndarray, expected: np.ndarray) -> float:
    """Share of the expected neighbours that were found."""
    return float(np.mean([len({*one} & {*other}) / len(other) for one, other in zip(found, expected, strict=True)]))


@pytest.mark.usefixtures("many")
def test_an_index_finds_the_neighbours_of_real_digits(space: Space) -> None:
    rows = np.arange(DIGITS)
    expected, cosines = space._compared(np.flatnonzero(space.usable), rows, NEAREST)
    places, similar = space.nearest(rows)
    assert (places.shape, places.dtype) == (expected.shape, expected.dtype)
    assert (similar.shape, similar.dtype) == (cosines.shape, cosines.dtype)
    assert 0.95 < recall(places, expected) < 1  # an index, and a good one
    same = places == expected
    assert np.allclose(similar[same], cosines[same], atol=1e-5)
    assert (np.diff(similar, axis=1) <= 0).all()
    assert not (places == rows[:, None]).any()
    assert places.max() < DIGITS - 10
    again, once_more = space.nearest(rows)
    assert np.array_equal(places, again)
    assert np.array_equal(similar, once_more)


@pytest.mark.usefixtures("many")
def test_copies_are_no_neighbours_however_many_there_are(space: Space) -> None:
    values = space.features.array().copy()
    values[:60] = values[0]  # more than an index names
    values[100:103] = values[100]
    groups = np.full(DIGITS, -1)
    groups[:60], groups[100:103] = 4, 9
    copied = Space.of(DiskRows.of(values), space.usable, groups)
    places, similar = copied.nearest(np.arange(DIGITS))
    assert (places[:60] >= 60).all()
    assert not {100, 101, 102} & {*places[100:103].ravel()}
    assert np.isfinite(similar).all()
    expected, _ = copied._compared(np.flatnonzero(copied.usable), np.arange(60), NEAREST)
    assert np.array_equal(places[:60], expected)


@pytest.mark.usefixtures("many")
def test_fewer_neighbours_than_asked_for_are_no_error(space: Space) -> None:
    usable = np.arange(DIGITS) < 101
    few = Space.of(space.features, usable, np.where(usable, 3, -1))  # one picture, 101 times
    places, similar = few.nearest(np.arange(101))
    assert (places == -1).all()
    assert np.isnan(similar).all()


@pytest.mark.usefixtures("many")
def test_reasons_are_told_in_the_same_words(found: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    by_index = replace(found)
    told = [by_index.reasons.of(row) for row in range(DIGITS)]
    monkeypatch.setattr(near, "EXACT_UP_TO", 1_000_000)
    exact = replace(found)
    expected = [exact.reasons.of(row) for row in range(DIGITS)]
    assert sum(one.sentence == other.sentence for one, other in zip(told, expected, strict=True)) > 0.95 * DIGITS
    assert [one.given for one in told] == [other.given for other in expected]


@pytest.mark.usefixtures("many")
def test_without_faiss_all_are_compared_and_the_log_says_so(
    space: Space, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with caplog.at_level(logging.WARNING, logger="deft"):
        places, _ = space.nearest(np.arange(200))
    assert [record.message for record in caplog.records] == [
        "Neighbours are looked for by comparing each suspect with all 1787 images, which may take minutes; "
        "an index is several times faster: pip install 'deft-labels[faiss]'."
    ]
    expected, _ = space._compared(np.flatnonzero(space.usable), np.arange(200), NEAREST)
    assert np.array_equal(places, expected)


@pytest.mark.parametrize(("least", "asked"), [("EXACT_UP_TO", DIGITS), ("WORTH_AN_INDEX", 99)])
@pytest.mark.usefixtures("many")
def test_few_images_and_few_questions_need_no_index(
    space: Space, monkeypatch: pytest.MonkeyPatch, least: str, asked: int
) -> None:
    def built(*_: object) -> None:
        raise AssertionError("an index was built")

    monkeypatch.setattr(NearIndex, "of", built)
    if least == "EXACT_UP_TO":
        monkeypatch.setattr(near, "EXACT_UP_TO", DIGITS - 10)
    assert space.nearest(np.arange(asked))[0].shape == (asked, NEAREST)


def test_faiss_is_loaded_by_nobody_who_needs_no_index() -> None:
    code = """
import sys, numpy as np, deft
from deft.runs.disk_rows import DiskRows
from deft.runs.near import Space
values = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
Space.of(DiskRows.of(values), np.ones(3000, bool), np.full(3000, -1)).nearest(np.arange(3000))
print("faiss" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
