"""Scores against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from deft.errors import DataError, SettingsError
from deft.metrics import (
    accuracy,
    auroc,
    average_precision,
    clean_selection,
    expected_calibration_error,
    score_detection,
    wilson_interval,
)

TRUTH = np.array([0, 0, 1, 1, 2, 2, 0, 1])
GIVEN = np.array([0, 1, 1, 2, 2, 0, 0, 1])  # rows 1, 3 and 5 are wrong
P_CLEAN = np.array([0.9, 0.1, 0.8, 0.6, 0.3, 0.2, 0.7, 0.95])
FLAGGED = P_CLEAN < 0.5  # rows 1, 4 and 5
PREDICTED = np.array([0, 0, 1, 2, 0, 1, 0, 1])


def test_detection_scores_by_hand() -> None:
    scores = score_detection(FLAGGED, P_CLEAN, GIVEN, TRUTH, PREDICTED)
    assert scores.precision == scores.recall == scores.f1 == pytest.approx(2 / 3)
    assert (scores.flagged, scores.wrong) == (3, 3)
    assert scores.estimated_noise_rate == scores.true_noise_rate == pytest.approx(3 / 8)
    # 15 pairs of wrong and right; only (row 3 at 0.6, row 4 at 0.3) is the wrong way round
    assert scores.auroc == pytest.approx(14 / 15)
    # sorted by P(clean): 1 wrong, 5 wrong, 4 right, 3 wrong
    assert scores.average_precision == pytest.approx((1 / 1 + 2 / 2 + 3 / 4) / 3)
    assert scores.precision_at_noise_rate == pytest.approx(2 / 3)
    assert scores.suggestion_accuracy == pytest.approx(1 / 2)  # row 1 is suggested rightly, row 5 is not


def test_rows_without_a_score_or_a_truth_do_not_count() -> None:
    with_more = score_detection(
        np.append(FLAGGED, [True, True]),
        np.append(P_CLEAN, [math.nan, 0.0]),
        np.append(GIVEN, [0, 0]),
        np.append(TRUTH, [1, -1]),
        np.append(PREDICTED, [1, 1]),
    )
    assert with_more == score_detection(FLAGGED, P_CLEAN, GIVEN, TRUTH, PREDICTED)


def test_scores_without_a_wrong_label_are_undefined() -> None:
    scores = score_detection(np.zeros(8, bool), P_CLEAN, TRUTH, TRUTH, TRUTH)
    for value in (
        scores.precision,
        scores.recall,
        scores.f1,
        scores.auroc,
        scores.average_precision,
        scores.precision_at_noise_rate,
        scores.suggestion_accuracy,
    ):
        assert math.isnan(value)
    assert scores.true_noise_rate == 0
    assert score_detection(FLAGGED, P_CLEAN, TRUTH, TRUTH, TRUTH).precision == 0


def test_scores_of_nothing_are_undefined() -> None:
    empty = np.array([], dtype=np.int64)
    assert math.isnan(score_detection(empty, empty, empty, empty, empty).true_noise_rate)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match=r"one value per image.*\(8,\).*\(7,\)"):
        score_detection(FLAGGED, P_CLEAN, GIVEN, TRUTH, PREDICTED[:7])


def test_clean_selection_by_hand() -> None:
    # kept: rows 0, 2, 3, 6, 7, of which row 3 is wrong; right: rows 0, 2, 4, 6, 7
    assert clean_selection(~FLAGGED, GIVEN, TRUTH) == pytest.approx((4 / 5, 4 / 5))
    assert math.isnan(clean_selection(np.zeros(8, bool), GIVEN, TRUTH)[0])


def test_accuracy_skips_unknown_truths() -> None:
    assert accuracy([0, 1, 2, 2], [0, 1, 1, -1]) == pytest.approx(2 / 3)
    assert math.isnan(accuracy([], []))


def test_wilson_interval_by_hand() -> None:
    # p = 1/2, n = 96.04 / 1 -> with n = 100 and z = 1.959964: centre 0.5, half 0.0961705...
    low, high = wilson_interval(50, 100)
    z = 1.959963984540054
    half = z * math.sqrt(0.25 / 100 + z * z / 40000) / (1 + z * z / 100)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    assert wilson_interval(0, 10) == pytest.approx((0.0, z * z / (10 + z * z)))
    assert wilson_interval(10, 10) == pytest.approx((10 / (10 + z * z), 1.0))
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 0.0), (1, 2, 1.0)])
def test_an_interval_of_no_share_is_refused(successes: int, total: int, confidence: float) -> None:
    with pytest.raises(SettingsError):
        wilson_interval(successes, total, confidence)


def test_calibration_error_by_hand() -> None:
    # two bins: (0, 0.5] holds 0.2 and 0.4, one right; (0.5, 1] holds 0.9 and 0.7, both right
    error = expected_calibration_error([0.2, 0.4, 0.9, 0.7], [False, True, True, True], bins=2)
    assert error == pytest.approx(abs(0.3 - 0.5) / 2 + abs(0.8 - 1.0) / 2)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0
    assert math.isnan(expected_calibration_error([], []))


def test_calibration_refuses_what_is_no_probability() -> None:
    with pytest.raises(DataError):
        expected_calibration_error([1.2], [True])
    with pytest.raises(SettingsError):
        expected_calibration_error([0.2], [True], bins=0)


@settings(deadline=None)  # scikit-learn takes its time, and more on a busy machine
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_areas_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    """With many equal scores, in any order."""
    positive, score = np.array([kind for kind, _ in rows]), np.array([value / 5 for _, value in rows])
    if positive.any():
        assert average_precision(positive, score) == pytest.approx(average_precision_score(positive, score))
    else:
        assert math.isnan(average_precision(positive, score))
    if 0 < positive.sum() < len(rows):
        assert auroc(positive, score) == pytest.approx(roc_auc_score(positive, score))
    else:
        assert math.isnan(auroc(positive, score))


def test_areas_of_no_row_are_undefined() -> None:
    assert math.isnan(auroc([], []))
    assert math.isnan(average_precision([], []))
