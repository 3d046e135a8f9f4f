"""Losses against constants that tests/reference/losses.py printed from the published formulas."""

from __future__ import annotations

import pytest
import torch

from deft.losses import (
    clean_probability_logit,
    cross_entropy,
    dual_prompt_loss,
    masked_mean,
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
