"""UNICON: its cut-off, its quotas, and what it learns."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deft.errors import SettingsError
from deft.losses import jensen_shannon
from deft.methods.cross_entropy import CE
from deft.methods.unicon import UNICON, cutoff, uniform_choice, unlabelled_batch

Probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def divergences(agreements: list[float], unit: Literal["bits", "nats"]) -> np.ndarray:
    found: np.ndarray = jensen_shannon(torch.tensor(agreements), unit=unit).numpy()
    return found


def test_the_cut_off_is_lowered_in_bits() -> None:
    values = divergences([0.01, 0.02, 0.05, 0.3], "bits")
    mean = values.mean()
    assert mean > 0.7
    assert cutoff(values) == pytest.approx(mean - (mean - values.min()) / 5)
    assert cutoff(values) < mean


@given(Probabilities)
def test_the_cut_off_is_never_lowered_in_nats(agreements: list[float]) -> None:
    """The logarithm ln 2 = 0.693 is the largest divergence, below d_μ = 0.7: as in the released code."""
    values = divergences(agreements, "nats")
    assert cutoff(values) == float(values.mean())


def test_the_unit_changes_what_is_chosen() -> None:
    rng = np.random.default_rng(0)
    agreements = rng.uniform(0, 0.15, 400).tolist()
    labels = np.arange(400) % 4
    bits, nats = (uniform_choice(divergences(agreements, unit), labels, classes=4) for unit in ("bits", "nats"))
    assert 0 < bits.sum() < nats.sum()
    assert bool(nats[bits].all())


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=60),
    st.sampled_from(["bits", "nats"]),
)
def test_quotas(samples: list[tuple[float, int]], unit: Literal["bits", "nats"]) -> None:
    values = divergences([agreement for agreement, _ in samples], unit)
    labels = np.array([label for _, label in samples])
    below = int((values < cutoff(values)).sum())
    chosen = uniform_choice(values, labels, classes=4)
    rows = np.flatnonzero(chosen)
    # A mask can't hold a row twice, and what is not chosen is the rest.
    assert len(rows) + len(np.setdiff1d(np.arange(len(values)), rows)) == len(values)
    for label in range(4):
        mine = values[labels == label]
        picked = values[(labels == label) & chosen]
        assert len(picked) == min(below // 4, len(mine))
        assert np.array_equal(np.sort(picked), np.sort(mine)[: len(picked)])


def test_rows_that_take_no_part_are_not_chosen() -> None:
    values = np.array([np.nan, 0.1, 0.2, 0.9, 0.8, np.nan])
    assert uniform_choice(values, np.array([-1, 0, 1, 0, 1, -1]), classes=2).tolist() == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("values", [np.full(8, 0.4), np.full(8, np.nan)])
def test_divergences_that_do_not_differ_choose_nothing(values: np.ndarray) -> None:
    assert not uniform_choice(values, np.arange(8) % 2, classes=2).any()


@pytest.mark.parametrize(
    ("share", "unlabelled", "expected"),
    [(0.5, "share", 64), (0.8, "share", 40), (0.25, "share", 128), (1e-6, "share", 256), (0.1, "batch", 64)],
)
def test_the_unlabelled_batch_is_bounded(share: float, unlabelled: Literal["share", "batch"], expected: int) -> None:
    assert unlabelled_batch(64, share, unlabelled) == expected


def test_only_cifar_takes_unlabelled_samples_by_their_share() -> None:
    by_share = (UNICON.for_cifar10(), UNICON.for_cifar100())
    by_batch = (UNICON.for_tiny_imagenet(), UNICON.for_webvision(), UNICON.for_clothing1m())
    assert {preset.unlabelled for preset in by_share} == {"share"}
    assert {preset.unlabelled for preset in by_batch} == {"batch"}
    assert {preset.unit for preset in (*by_share, *by_batch)} == {"bits"}


def test_an_unlabelled_batch_has_a_sample() -> None:
    assert unlabelled_batch(1, 1.0, "share") == 1


def test_it_learns_where_cross_entropy_memorises(table_run: Any) -> None:
    problem = table_run(noise=0.4, epochs=10)
    plain, robust = problem.run(CE(), rate=0.1), problem.run(UNICON(), rate=0.1)
    assert problem.memorised(plain) > 0.6
    assert problem.memorised(robust) < 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


def test_the_released_codes_unit_learns_too(table_run: Any) -> None:
    problem = table_run(noise=0.4, epochs=10)
    assert problem.accuracy(problem.run(UNICON(unit="nats"), rate=0.1)) > 0.8


@pytest.mark.parametrize("preset", [UNICON.for_webvision(), UNICON.for_clothing1m()])
def test_presets_without_loss_on_guesses_run(preset: UNICON, table_run: Any) -> None:
    problem = table_run(count=120, epochs=4)
    assert bool(torch.isfinite(problem.run(preset, rate=0.05).predict(problem.test_inputs)).all())


def test_images_can_be_mixed(table_run: Any) -> None:
    problem = table_run(count=80, shape=(3, 4, 4), epochs=3)
    assert bool(torch.isfinite(problem.run(UNICON(), rate=0.05).predict(problem.test_inputs)).all())


def test_a_class_with_one_sample(table_run: Any) -> None:
    labels = np.minimum(np.arange(100) % 4, 2)
    labels[0] = 3
    problem = table_run(count=100, labels=labels, epochs=4)
    assert bool(torch.isfinite(problem.run(UNICON(), rate=0.05).predict(problem.test_inputs)).all())


def test_scores_that_do_not_differ_give_an_epoch_of_cross_entropy(table_run: Any) -> None:
    """With zero weights every divergence is the same, so R = 0."""
    problem = table_run(count=40, epochs=2)
    method = UNICON(warmup=0).build(problem.context)
    with torch.no_grad():
        for weight in method.parameters():
            weight.zero_()
    losses = [float(loss.detach()) for loss in method.losses(problem.train, 0)]
    assert losses == pytest.approx([np.log(4)] * 2, rel=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"unit": "hartley"}, {"warmup": -1}, {"batch": 0}, {"temperature": 0.0}, {"strictness": 0.0}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        UNICON(**wrong)
