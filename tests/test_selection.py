"""The mixture's guards, and small losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deft.errors import DataError, SettingsError
from deft.selection import (
    class_quota_mask,
    estimate_noise_rate,
    small_loss_mask,
    two_component_posterior,
    unit_range,
)

LOSSES = st.lists(st.floats(0, 1e6) | st.just(float("nan")) | st.just(float("inf")), max_size=40)


def _two_groups(clean: int = 700, wrong: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0.2, 0.08, clean), rng.normal(3.0, 0.5, wrong)])


def test_two_groups_are_told_apart() -> None:
    posterior = two_component_posterior(_two_groups(), seed=0)
    assert (posterior[:700] > 0.99).mean() > 0.98
    assert (posterior[700:] < 0.01).mean() > 0.98
    assert estimate_noise_rate(_two_groups(), seed=0) == pytest.approx(0.3, abs=0.01)


def test_one_outlier_does_not_set_the_scale() -> None:
    posterior = two_component_posterior(np.append(_two_groups(), 1e4), seed=0)
    assert ((posterior > 0.5) == (np.arange(1001) < 700)).mean() > 0.98


def test_the_seed_repeats() -> None:
    first, again = (two_component_posterior(_two_groups(), seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@settings(max_examples=50, deadline=None)
@given(losses=LOSSES)
def test_the_posterior_is_a_probability_that_never_rises_with_the_loss(losses: list[float]) -> None:
    values = np.array(losses, dtype=np.float64)
    posterior = two_component_posterior(values, seed=0)
    np.testing.assert_array_equal(np.isnan(posterior), np.isnan(values))
    in_order = posterior[np.argsort(values)][: int((~np.isnan(values)).sum())]
    assert ((in_order >= 0) & (in_order <= 1)).all()
    assert (np.diff(in_order) <= 1e-9).all()


@pytest.mark.parametrize("losses", [[0.7] * 5, [0.7], [float("inf")] * 3, np.full(9, 1e30)])
def test_losses_that_do_not_differ_are_all_clean(losses: list[float]) -> None:
    assert (two_component_posterior(losses, seed=0) == 1).all()
    assert estimate_noise_rate(losses, seed=0) == 0


def test_no_losses_at_all() -> None:
    assert two_component_posterior([], seed=0).shape == (0,)
    assert estimate_noise_rate([], seed=0) == 0
    assert np.isnan(two_component_posterior([float("nan")], seed=0)).all()


def test_half_precision_losses_are_computed_in_full() -> None:
    losses = _two_groups().astype(np.float16)
    np.testing.assert_array_equal(
        two_component_posterior(losses, seed=0), two_component_posterior(losses.astype(np.float64), seed=0)
    )


def test_per_class_each_class_has_its_own_scale() -> None:
    easy, hard = _two_groups(80, 20), _two_groups(80, 20) + 10
    labels = np.repeat([0, 4, 9], [100, 100, 1])  # classes between them are absent, class 9 has one sample
    posterior = two_component_posterior(np.concatenate([easy, hard, [5.0]]), seed=0, labels=labels)
    assert (posterior[100:180] > 0.5).all()
    assert (posterior[180:200] < 0.5).all()
    assert posterior[200] == 1


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="2 losses"):
        two_component_posterior([0.1, 0.2], seed=0, labels=[0])
    with pytest.raises(DataError, match="one value per sample"):
        two_component_posterior([[0.1, 0.2]], seed=0)


def test_small_losses_are_chosen_ties_by_order_nan_never() -> None:
    losses = [0.5, float("nan"), 0.1, 0.5, 0.5, 0.0]
    np.testing.assert_array_equal(small_loss_mask(losses, 0.6), [True, False, True, False, False, True])
    np.testing.assert_array_equal(small_loss_mask(losses, 1.0), [True, False, True, True, True, True])
    assert not small_loss_mask(losses, 0.0).any()
    assert small_loss_mask([], 0.5).shape == (0,)


@pytest.mark.parametrize("keep", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(keep: float) -> None:
    with pytest.raises(SettingsError):
        small_loss_mask([0.1], keep)


def test_scores_that_are_high_where_right_go_in_as_negatives() -> None:
    posterior = two_component_posterior(-(5 - _two_groups()), seed=0)
    np.testing.assert_allclose(posterior, two_component_posterior(_two_groups(), seed=0), atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"max_iter": 100, "tol": 1e-3, "reg_covar": 1e-6}])
def test_per_class_one_outlier_at_1e4_spoils_no_class(settings: dict[str, float]) -> None:
    losses = np.concatenate([_two_groups(60, 40), [1e4], _two_groups(60, 40), [np.nan]])
    labels = np.repeat([0, 2, 3], [101, 100, 1])
    posterior = two_component_posterior(losses, seed=0, labels=labels, **settings)  # type: ignore[arg-type]
    assert (posterior[:60] > 0.5).all()
    assert (posterior[60:101] < 0.5).all()
    assert (posterior[101:161] > 0.5).all()
    assert (posterior[161:201] < 0.5).all()
    assert np.isnan(posterior[201])


def test_per_class_a_constant_class_is_kept_whole_and_two_samples_are_told_apart() -> None:
    posterior = two_component_posterior([0.7, 0.7, 0.7, 0.1, 3.0], seed=0, labels=[1, 1, 1, 5, 5])
    np.testing.assert_array_equal(posterior, [1, 1, 1, 1, 0])


def test_a_quota_takes_the_smallest_losses_of_each_class() -> None:
    losses = [0.3, 0.1, 0.2, 0.9, float("nan"), 0.4]
    labels = [0, 0, 0, 1, 1, 3]
    np.testing.assert_array_equal(class_quota_mask(losses, labels, 2), [0, 1, 1, 1, 0, 1])
    np.testing.assert_array_equal(class_quota_mask(losses, labels, [1, 5, 7, 0]), [0, 1, 0, 1, 0, 0])
    assert not class_quota_mask(losses, labels, 0).any()
    assert class_quota_mask([], [], 3).shape == (0,)


def test_of_equal_losses_a_quota_takes_the_earlier() -> None:
    np.testing.assert_array_equal(class_quota_mask([1.0] * 4, [7, 2, 7, 7], 2), [1, 1, 1, 0])


@settings(max_examples=50, deadline=None)
@given(losses=LOSSES, quota=st.integers(0, 9), data=st.data())
def test_a_quota_is_met_or_the_class_is_used_up(losses: list[float], quota: int, data: st.DataObject) -> None:
    labels = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(losses), max_size=len(losses))), dtype=int)
    values = np.array(losses, dtype=np.float64)
    mask = class_quota_mask(values, labels, quota)
    for label in range(5):
        members = values[(labels == label) & ~np.isnan(values)]
        chosen = values[(labels == label) & mask]
        np.testing.assert_array_equal(np.sort(chosen), np.sort(members)[:quota])


def test_a_quota_refuses_labels_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="2 losses"):
        class_quota_mask([0.1, 0.2], [0], 1)


def test_the_unit_range_leaves_gaps_and_levels_outliers() -> None:
    losses = np.concatenate([np.linspace(2.0, 4.0, 300), [1e4, np.nan]])
    scaled = unit_range(losses)
    assert scaled[0] == 0
    assert scaled[298:301].tolist() == [1.0, 1.0, 1.0]
    assert scaled[150] == pytest.approx(0.5, abs=0.01)
    assert np.isnan(scaled[301])
