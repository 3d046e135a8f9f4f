"""Targets against constants of tests/reference/semi_supervised.py; targets are probabilities whatever comes in."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from deft.methods.parts.pseudo_labels import co_guess, co_refine, one_hot, probabilities, sharpen, shift_by_prior

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
TARGETS = torch.tensor([[0.7, 0.1, 0.2], [0.0, 0.5, 0.5]])
OTHER = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
PRIOR = torch.tensor([0.5, 0.3, 0.2])
SHARPENED = [[0.9888924, 0.000122, 0.0109856], [0.0001234, 0.9998763, 3e-07]]
CO_REFINED = [[0.8766922, 0.0362486, 0.0870592], [0.1192801, 0.7992085, 0.0815114]]
CO_GUESSED = [[0.6528478, 0.1953314, 0.1518208], [0.2110894, 0.7832064, 0.0057042]]
DEBIASED = [[0.7056792, 0.0453574, 0.2489634], [0.0368401, 0.9552767, 0.0078832]]


def close(found: Tensor, expected: list[list[float]]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=0)


def test_sharpen() -> None:
    close(sharpen(LOGITS.softmax(dim=1), 1 / 3), SHARPENED)


def test_co_refine() -> None:
    views = [LOGITS.softmax(dim=1), OTHER]
    close(co_refine(TARGETS, torch.tensor([0.8, 0.3]), views, 0.5), CO_REFINED)


def test_co_guess() -> None:
    close(co_guess([LOGITS.softmax(dim=1), OTHER], 0.5), CO_GUESSED)


def test_guesses_are_debiased_by_the_prior() -> None:
    close(shift_by_prior(LOGITS, PRIOR, -0.5).softmax(dim=1), DEBIASED)


def test_a_prior_of_zero_is_no_infinity() -> None:
    shifted = shift_by_prior(LOGITS, torch.tensor([1.0, 0.0, 0.0]), 0.5)
    assert bool(torch.isfinite(shifted).all())


def test_a_label_that_is_certain_stays() -> None:
    labels = one_hot(torch.tensor([2, 0]), 3)
    assert torch.allclose(co_refine(labels, torch.ones(2), [OTHER], 0.5), labels)


Rows = st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=0, max_size=5)


@given(Rows, st.floats(0.05, 5), st.floats(0, 1))
def test_targets_sum_to_one(rows: list[list[float]], temperature: float, weight: float) -> None:
    probs = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    labels = one_hot(torch.zeros(len(probs), dtype=torch.int64), 4)
    for targets in (
        sharpen(probs, temperature),
        co_refine(labels, torch.full((len(probs),), weight), [probs, probs], temperature),
        co_guess([probs, probs, probs, probs], temperature),
    ):
        assert bool((targets >= 0).all())
        assert torch.allclose(targets.sum(dim=1), torch.ones(len(probs)), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_looking_has_no_gradient_and_moves_no_statistics(training: bool) -> None:
    norm = nn.BatchNorm1d(3)
    norm.train(training)
    probs = probabilities(norm, LOGITS)
    assert not probs.requires_grad
    assert torch.equal(norm.running_mean if norm.running_mean is not None else torch.ones(3), torch.zeros(3))
    assert norm.training == training
