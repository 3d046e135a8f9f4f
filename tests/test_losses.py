"""Losses against constants that tests/reference/losses.py printed from the published formulas."""

from __future__ import annotations

import math

import pytest
import torch

from deft.losses import (
    brier,
    clean_probability_logit,
    cross_entropy,
    dual_prompt_loss,
    jensen_shannon,
    masked_mean,
    negative_entropy,
    nt_xent,
    prior_penalty,
    symmetric_cross_entropy,
)

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LABELS = torch.tensor([0, 2])
CROSS_ENTROPY = [0.241311297, 5.054985235]
REVERSE = [1.974724288, 9.151601786]
DUAL = [0.634383133, 5.627477086]


def test_cross_entropy() -> None:
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS), torch.tensor(CROSS_ENTROPY))


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.1, 1.0), (6.0, 0.1), (0.0, 1.0)])
def test_symmetric_cross_entropy(alpha: float, beta: float) -> None:
    expected = alpha * torch.tensor(CROSS_ENTROPY) + beta * torch.tensor(REVERSE)
    found = symmetric_cross_entropy(LOGITS, LABELS, alpha=alpha, beta=beta)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_dual_prompt_loss() -> None:
    positive, negative = torch.tensor([1.2, -2.0]), torch.tensor([0.4, 1.0])
    other_positive, other_negative = torch.tensor([-0.3, 3.0]), torch.tensor([0.9, 0.5])
    yes = clean_probability_logit(positive, negative)
    no = clean_probability_logit(other_positive, other_negative)
    torch.testing.assert_close(dual_prompt_loss(yes, no), torch.tensor(DUAL))


def test_the_most_wrong_samples_still_teach() -> None:
    # The authors clip at 1e-5, so a gap of 20 at scale 100 would have no gradient at all.
    yes = torch.tensor([-20.0], requires_grad=True)
    dual_prompt_loss(yes, torch.tensor([0.0])).sum().backward()
    assert yes.grad is not None
    assert float(yes.grad) == pytest.approx(-1.0, abs=1e-6)


def test_an_empty_selection_is_a_zero_loss() -> None:
    losses = torch.tensor([1.0, float("inf"), 3.0], requires_grad=True)
    mean = masked_mean(losses, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert float(mean.detach()) == 0
    assert losses.grad is not None
    assert torch.equal(losses.grad, torch.zeros(3))


@pytest.mark.parametrize(("mask", "expected"), [([True, True, True], 2.0), ([False, True, False], 1.0)])
def test_full_and_one_sample_selections(mask: list[bool], expected: float) -> None:
    assert float(masked_mean(torch.tensor([2.0, 1.0, 3.0]), torch.tensor(mask))) == expected


def test_half_precision_scores_are_computed_in_float32() -> None:
    assert cross_entropy(LOGITS.bfloat16(), LABELS).dtype == torch.float32
    assert clean_probability_logit(LOGITS.bfloat16(), LOGITS.bfloat16()).dtype == torch.float32


# The constants below were printed by tests/reference/semi_supervised.py.
TARGETS = torch.tensor([[0.7, 0.1, 0.2], [0.0, 0.5, 0.5]])
FIRST = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]])
SECOND = torch.tensor([[0.5, 2.5], [-2.0, 0.1], [1.0, -1.0]])
AGREEMENTS = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
BRIER = [0.0038816, 0.1484151]
PRIOR_PENALTY = 0.22891
NEGATIVE_ENTROPY = [-0.6215846, -0.2282428]
DIVERGENCE_NATS = [0.6931472, 0.5255973, 0.2157616, 0.0359738, 0.0]
DIVERGENCE_BITS = [1.0, 0.7582767, 0.3112781, 0.0518992, 0.0]
NT_XENT = [0.3139106, 0.3493843, 0.2293421]


def test_brier() -> None:
    torch.testing.assert_close(brier(LOGITS, TARGETS), torch.tensor(BRIER), atol=1e-6, rtol=0)


def test_prior_penalty() -> None:
    assert float(prior_penalty(LOGITS)) == pytest.approx(PRIOR_PENALTY, abs=1e-6)


def test_the_prior_penalty_is_zero_for_balanced_predictions_and_for_none() -> None:
    assert float(prior_penalty(torch.eye(3) * 50)) == pytest.approx(0, abs=1e-6)
    empty = torch.zeros(0, 3, requires_grad=True)
    assert float(prior_penalty(empty).detach()) == 0


def test_a_class_that_nothing_is_taken_for_still_teaches() -> None:
    # Its mean probability of 1e-87 is no float32: by probabilities the penalty would be infinite.
    scores = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    penalty = prior_penalty(scores)
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(400 / 3 - math.log(3), rel=1e-4)
    assert scores.grad is not None
    assert float(scores.grad[0, 1]) == pytest.approx(-1 / 3, abs=1e-6)


def test_negative_entropy() -> None:
    torch.testing.assert_close(negative_entropy(LOGITS), torch.tensor(NEGATIVE_ENTROPY), atol=1e-6, rtol=0)


def test_the_divergence_from_a_one_hot_label_in_both_units() -> None:
    nats, bits = jensen_shannon(AGREEMENTS, unit="nats"), jensen_shannon(AGREEMENTS, unit="bits")
    torch.testing.assert_close(nats, torch.tensor(DIVERGENCE_NATS), atol=1e-6, rtol=0)
    torch.testing.assert_close(bits, torch.tensor(DIVERGENCE_BITS), atol=1e-6, rtol=0)


def test_the_divergence_falls_with_the_agreement() -> None:
    assert bool((jensen_shannon(torch.linspace(0, 1, 101)).diff() < 0).all())


def test_nt_xent() -> None:
    losses = nt_xent(FIRST, SECOND, temperature=0.5)
    torch.testing.assert_close(losses, torch.tensor(NT_XENT), atol=1e-6, rtol=0)


@pytest.mark.parametrize("count", [0, 1])
def test_without_negatives_nothing_is_contrasted(count: int) -> None:
    first = FIRST[:count].clone().requires_grad_()
    losses = nt_xent(first, SECOND[:count], temperature=0.05)
    losses.sum().backward()
    assert losses.tolist() == [0.0] * count
    assert first.grad is not None
    assert bool(torch.isfinite(first.grad).all())


def test_contrast_is_computed_in_float32_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = nt_xent(FIRST, SECOND, temperature=0.5)
    torch.testing.assert_close(losses, torch.tensor(NT_XENT), atol=1e-6, rtol=0)
