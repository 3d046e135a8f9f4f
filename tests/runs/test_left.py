"""How many wrong labels are left, given the scores and what people decided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom
from tests.runs.test_audit import detection, said

from deft.metrics import wilson_interval
from deft.runs.audit import Rate, undecided
from deft.runs.detection import Detection
from deft.runs.left import NOTHING, RIGHT, WRONG, verdicts_of_people, what_is_left
from deft.runs.recalibration import Recalibration, stated


def run(p_clean: np.ndarray, interval: tuple[float, float] | None = None) -> Detection:
    found = detection(p_clean, p_clean < 0.5)
    if interval is None:
        return found
    return replace(found, info={"evidence": {"noise_rate_interval": list(interval)}})


def decided(count: int, wrong: np.ndarray, seen: np.ndarray) -> np.ndarray:
    words = np.full(count, NOTHING, np.int8)
    words[seen] = np.where(wrong[seen], WRONG, RIGHT)
    return words


def test_the_scores_alone_say_their_sum_as_widely_as_the_runs_interval() -> None:
    p_clean = np.concatenate([np.full(40, 0.02), np.full(160, 0.99)])
    found = run(p_clean, (0.15, 0.25))
    nothing, still = np.full(200, NOTHING, np.int8), np.ones(200, bool)
    left = what_is_left(found, still, nothing)
    assert (left.images, left.by) == (200, "scores")
    assert left.wrong == pytest.approx(0.98 * 40 + 0.01 * 160, abs=2)
    assert left.low < left.wrong < left.high
    wider = what_is_left(run(p_clean, (0.05, 0.5)), still, nothing)
    assert wider.high - wider.low > left.high - left.low


def test_after_all_suspects_were_decided_the_interval_holds_what_sharp_scores_have_missed() -> None:
    """A folder of eight classes whose detector said "about 1.1 left (0 to 3)" where six were."""
    p_clean = np.concatenate([np.full(50, 0.0002), [0.3, 0.4], np.full(6, 0.9), np.full(4, 0.95), np.full(300, 0.9999)])
    wrong = np.arange(len(p_clean)) < 58
    found = run(p_clean, (0.1, 0.22))
    seen = found.is_label_issue
    left = what_is_left(found, ~seen, decided(len(p_clean), wrong, seen))
    assert float((1 - p_clean[~seen]).sum()) < 1.1  # what the scores alone would say
    assert left.by == "decisions"
    assert left.low <= 6 <= left.high
    assert not left.stop


def test_labels_that_the_detector_was_sure_of_and_people_found_wrong_raise_what_is_left() -> None:
    rng = np.random.default_rng(0)
    p_clean = np.concatenate([np.full(50, 0.03), rng.uniform(0.97, 0.999, 1000)])
    found = run(p_clean, (0.03, 0.12))
    wrong, seen = p_clean < 0.5, np.zeros(1050, bool)
    seen[:50] = seen[50:90] = True
    as_stated = what_is_left(found, ~seen, decided(1050, wrong, seen))
    surprise = wrong.copy()
    surprise[50:62] = True
    raised = what_is_left(found, ~seen, decided(1050, surprise, seen))
    assert raised.low > as_stated.high
    assert raised.next_wrong > as_stated.next_wrong
    assert as_stated.wrong < what_is_left(found, ~seen, np.full(1050, NOTHING, np.int8)).high


@pytest.mark.parametrize("part", ["worst first", "any order", "none"])
def test_the_interval_holds_the_truth_in_nine_of_ten_reviews_where_the_model_is_right(part: str) -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        log_odds = np.concatenate([rng.normal(-4, 1.5, 400), rng.normal(3, 2, 100)])
        spread = 0.8
        shift, slope = spread * rng.normal(), np.exp(0.4 * spread * rng.normal())
        wrong = rng.random(500) < expit(shift + slope * log_odds)
        order = {"worst first": np.argsort(-log_odds), "any order": rng.permutation(500), "none": np.arange(0)}[part]
        seen = np.zeros(500, bool)
        seen[order[:80]] = True
        classes = np.arange(500) % 200  # hardly two decisions in one class
        known = Recalibration.learn(log_odds[seen], wrong[seen], classes[seen], spread=spread)
        low, high = known.quantiles(log_odds[~seen], (0.05, 0.95))
        held += low <= int(wrong[~seen].sum()) <= high
    assert 0.85 <= held / 200 <= 0.96


def test_many_decisions_find_the_scale_of_the_scores() -> None:
    rng = np.random.default_rng(2)
    log_odds = rng.normal(0, 3, 40_000)
    wrong = rng.random(40_000) < expit(0.7 + 0.6 * log_odds)
    known = Recalibration.learn(log_odds, wrong, np.arange(40_000) // 2, spread=1.0)
    assert float(known.weights @ known.shift) == pytest.approx(0.7, abs=0.06)
    assert float(known.weights @ known.slope) == pytest.approx(0.6, abs=0.03)
    assert known.chances(np.array([0.0, 2.0])) == pytest.approx(expit([0.7, 1.9]), abs=0.02)


def test_one_class_says_less_of_all_than_as_many_decisions_of_many() -> None:
    log_odds, wrong = np.zeros(100), np.arange(100) < 80
    alone = Recalibration.learn(log_odds, wrong, np.zeros(100, np.int64), spread=1.0)
    many = Recalibration.learn(log_odds, wrong, np.arange(100), spread=1.0)

    def spread(known: Recalibration) -> float:
        mean = float(known.weights @ known.shift)
        return float(known.weights @ (known.shift - mean) ** 2)

    assert spread(alone) > 1.5 * spread(many)


@pytest.mark.parametrize(("log_odds", "count"), [(-3.0, 40), (0.0, 30), (4.0, 200)])
def test_quantiles_are_those_of_a_sum_of_draws(log_odds: float, count: int) -> None:
    known = Recalibration(np.zeros(1), np.ones(1), np.ones(1))
    found = known.quantiles(np.full(count, log_odds), (0.05, 0.5, 0.95))
    assert found == pytest.approx(binom.ppf([0.05, 0.5, 0.95], count, expit(log_odds)), abs=1)
    assert known.quantiles(np.zeros(0), (0.05, 0.95)) == (0, 0)


def test_stated_log_odds_are_finite() -> None:
    assert stated(np.array([0.0, 0.5, 1.0], np.float32)) == pytest.approx([13.8, 0.0, -13.8], abs=0.1)


def test_what_people_said_is_said_of_the_label_that_was_judged() -> None:
    p_clean = np.array([0.1, 0.9, 0.2, 0.3, 1.0, 0.8, np.nan])
    found = run(p_clean)  # all are called "cat"
    decisions = {
        "id0": said("id0", "corrected"),
        "id1": said("id1", "kept"),
        "id2": said("id2", "skipped"),
        "id3": said("id3", "bad_image"),
        "id4": said("id4", "kept"),  # confirmed before the run was made, which took it as true
        "id5": said("id5", "none_of_these"),
        "id6": said("id6", "kept"),
        "gone": said("gone", "kept"),
    }
    assert verdicts_of_people(found, decisions).tolist() == [WRONG, RIGHT, NOTHING, NOTHING, NOTHING, WRONG, NOTHING]
    still = undecided(found.sample_id, found.judged, decisions)
    assert still.tolist() == [False, False, True, False, False, False, False]


def test_a_random_sample_is_heard_alone_where_it_contradicts_the_scores() -> None:
    p_clean = np.full(400, 0.999)
    found = run(p_clean, (0.0, 0.01))
    nothing, still = np.full(400, NOTHING, np.int8), np.ones(400, bool)
    assert what_is_left(found, still, nothing, Rate.of(10, 19)).by == "scores"  # too small a sample
    left = what_is_left(found, still, nothing, Rate.of(10, 25))
    assert (left.wrong, left.by) == (160, "sample")
    assert left.low == 400 * wilson_interval(10, 25)[0]
    assert left.next_wrong > 1
    assert what_is_left(found, still, nothing, Rate.of(0, 25)).by == "scores"  # agrees


def test_nothing_is_left_where_everything_was_decided() -> None:
    found = run(np.full(5, 0.9))
    left = what_is_left(found, np.zeros(5, bool), np.full(5, RIGHT, np.int8))
    assert (left.images, left.wrong, left.low, left.high, left.next_wrong) == (0, 0, 0, 0, 0)
    assert left.stop


def test_a_run_without_an_interval_has_a_wide_one() -> None:
    p_clean = np.concatenate([np.full(20, 0.1), np.full(80, 0.97)])
    nothing, still = np.full(100, NOTHING, np.int8), np.ones(100, bool)
    left, narrow = (what_is_left(run(p_clean, ends), still, nothing) for ends in (None, (0.15, 0.26)))
    assert left.high - left.low > 2 * (narrow.high - narrow.low)
