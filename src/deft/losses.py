"""Losses of each sample, and their mean over a chosen part: formulas only, nothing that learns."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SCE_CLIP = 1e-4  # the zero of a one-hot label, in the logarithm of the reverse cross-entropy


def masked_mean(losses: Tensor, mask: Tensor) -> Tensor:
    """Mean of the losses that a mask chooses; zero, with a gradient of zero, if it chooses none.

    Args:
        losses: (B,).
        mask: bool, (B,).
    """
    weights = mask.to(losses.dtype)
    # Losses left out may be infinite, and zero times infinity is no zero.
    chosen = losses.masked_fill(~mask, 0.0)
    return chosen.sum() / weights.sum().clamp(min=1.0)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each sample.

    Args:
        logits: (N, K).
        labels: (N,).

    Returns:
        (N,).
    """
    return F.cross_entropy(logits.float(), labels, reduction="none")


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, *, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """α·CE + β·RCE of each sample (Wang et al., ICCV 2019, Eq. 6).

    With the label's zeros clipped at 1e-4 the reverse term is A·(1 − p_y), A = −ln 1e-4 = 9.21, so no one-hot
    matrix is needed. α = β = 1 is what DeFT uses.

    Args:
        logits: (N, K).
        labels: (N,).
        alpha: Weight of the cross-entropy.
        beta: Weight of the reverse cross-entropy.

    Returns:
        (N,).
    """
    losses = cross_entropy(logits, labels)
    return alpha * losses + beta * -math.log(SCE_CLIP) * (1 - (-losses).exp())


def clean_probability_logit(positive: Tensor, negative: Tensor) -> Tensor:
    """Log-odds of p_clean: s⁺ − s⁻ (DeFT, Eq. 6: a softmax over two is a sigmoid of the difference).

    Args:
        positive: Similarity to the positive prompt over the temperature, any shape.
        negative: Similarity to the negative prompt over the temperature, the same shape.
    """
    return positive.float() - negative.float()


def dual_prompt_loss(yes: Tensor, no: Tensor) -> Tensor:
    """−log p_clean(ŷ) − log(1 − p_clean(ȳ)) of each sample (DeFT, Eq. 7, L_dp).

    By log-sigmoid: the authors clip the probabilities at 1e-5, which stops the gradient of just the samples that
    are most wrong.

    Args:
        yes: Log-odds of p_clean at the label (or pseudo-label) ŷ, (N,).
        no: Log-odds of p_clean at a complementary label ȳ, (N,).

    Returns:
        (N,).
    """
    return -F.logsigmoid(yes) - F.logsigmoid(-no)


def generalized_cross_entropy(logits: Tensor, labels: Tensor, *, q: float = 0.7) -> Tensor:
    """(1 − p_y^q)/q of each sample (Zhang & Sabuncu, NeurIPS 2018, Eq. 6).

    By exp(q·log p): the power of a probability has an infinite slope at zero, this form has none.

    Args:
        logits: (N, K).
        labels: (N,).
        q: The exponent in (0, 1]; towards 0 it becomes cross-entropy, at 1 it is 1 − p_y.

    Returns:
        (N,).
    """
    return -torch.expm1(-q * cross_entropy(logits, labels)) / q


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """−Σ_k t_k·log p_k of each sample.

    Args:
        logits: (N, K).
        targets: Probabilities t, (N, K).

    Returns:
        (N,).
    """
    return -(targets.float() * F.log_softmax(logits.float(), dim=1)).sum(dim=1)


def agreement_penalty(probs: Tensor, targets: Tensor) -> Tensor:
    """log(1 − ⟨t, p⟩) of each sample: low where a prediction repeats its target (Liu et al., NeurIPS 2020, Eq. 6).

    Args:
        probs: Probabilities p, clipped away from one, (N, K).
        targets: Probabilities t, (N, K); rows of zeros cost nothing.

    Returns:
        (N,), zero or negative.
    """
    # Both near one-hot would give log 0; the clip leaves a finite loss and no gradient beyond it.
    return (1 - (probs.float() * targets.float()).sum(dim=1)).clamp(min=1e-8).log()
