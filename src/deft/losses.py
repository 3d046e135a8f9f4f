"""Losses of each sample, and their mean over a chosen part: formulas only, nothing that learns."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SCE_CLIP = 1e-4  # the zero of a one-hot label, in the logarithm of the reverse cross-entropy


def masked_mean(losses: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the losses that a mask chooses; zero, with a gradient of zero, if it chooses none.

    Args:
        losses: (B,).
        mask: bool, (B,).
    """
    weights = mask.to(losses.dtype)
    # Losses left out may be infinite, and zero times infinity is no zero.
    chosen = losses.masked_fill(~mask, 0.0)
    return chosen.sum() / weights.sum().clamp(min=1.0)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each sample.

    Args:
        logits: (N, K).
        labels: (N,).

    Returns:
        (N,).
    """
    return F.cross_entropy(logits.float(), labels, reduction="none")


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, *, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """Return α·CE + β·RCE of each sample (Wang et al., ICCV 2019, Eq. 6).

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
    """Return the log-odds of p_clean, s⁺ − s⁻ (DeFT, Eq. 6: a softmax over two is a sigmoid of the difference).

    Args:
        positive: Similarity to the positive prompt over the temperature, any shape.
        negative: Similarity to the negative prompt over the temperature, the same shape.
    """
    return positive.float() - negative.float()


def dual_prompt_loss(yes: Tensor, no: Tensor) -> Tensor:
    """Return −log p_clean(ŷ) − log(1 − p_clean(ȳ)) of each sample (DeFT, Eq. 7, L_dp).

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
    """Return (1 − p_y^q)/q of each sample (Zhang & Sabuncu, NeurIPS 2018, Eq. 6).

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
    """Return −Σ_k t_k·log p_k of each sample.

    Args:
        logits: (N, K).
        targets: Probabilities t, (N, K).

    Returns:
        (N,).
    """
    return -(targets.float() * F.log_softmax(logits.float(), dim=1)).sum(dim=1)


def agreement_penalty(probs: Tensor, targets: Tensor) -> Tensor:
    """Return log(1 − ⟨t, p⟩) of each sample: low where prediction and target agree (Liu et al., NeurIPS 2020, Eq. 6).

    Args:
        probs: Probabilities p, clipped away from one, (N, K).
        targets: Probabilities t, (N, K); rows of zeros cost nothing.

    Returns:
        (N,), zero or negative.
    """
    # Both near one-hot would give log 0; the clip leaves a finite loss and no gradient beyond it.
    return (1 - (probs.float() * targets.float()).sum(dim=1)).clamp(min=1e-8).log()


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Return each sample's mean of (p_k − t_k)² over the classes, MixMatch's loss of guesses (NeurIPS 2019, Eq. 4).

    Args:
        logits: (N, K).
        targets: Probabilities t, (N, K).

    Returns:
        (N,).
    """
    return (logits.float().softmax(dim=1) - targets.float()).square().mean(dim=1)


def prior_penalty(logits: Tensor) -> Tensor:
    """Return Σ_k π_k·log(π_k / p̄_k), π uniform, p̄ the mean prediction of a batch (DivideMix, Li et al., ICLR 2020).

    Args:
        logits: (N, K).

    Returns:
        A scalar; zero for no sample.
    """
    count, classes = logits.shape
    if not count:
        return logits.float().sum()
    # By logarithms: the mean of a class that nothing is taken for would round to zero.
    log_means = F.log_softmax(logits.float(), dim=1).logsumexp(dim=0) - math.log(count)
    return -(log_means + math.log(classes)).mean()


def negative_entropy(logits: Tensor) -> Tensor:
    """Return Σ_k p_k·log p_k of each sample; added to a loss it makes predictions less sure of themselves.

    Args:
        logits: (N, K).

    Returns:
        (N,), between −log K and 0.
    """
    logs = F.log_softmax(logits.float(), dim=1)
    return (logs.exp() * logs).sum(dim=1)


def jensen_shannon(label_probs: Tensor, *, unit: Literal["bits", "nats"] = "bits") -> Tensor:
    """Return the Jensen-Shannon divergence of a prediction from a one-hot label, by the label's probability q.

    ½·[ln(2/(1+q)) + q·ln(2q/(1+q)) + (1−q)·ln 2]: what the other classes share among them doesn't matter.

    Args:
        label_probs: q, any shape.
        unit: "bits" gives 0..1, "nats" 0..0.693.

    Returns:
        Same shape; it falls as q grows.
    """
    q = label_probs.float()
    mean = (1 + q) / 2
    nats = (-mean.log() + torch.xlogy(q, q / mean) + (1 - q) * math.log(2)) / 2
    # Where the label is certain, rounding may leave a tiny negative number.
    return (nats / math.log(2) if unit == "bits" else nats).clamp(min=0)


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Return each sample's contrastive loss between two views; all others are its negatives (SimCLR, Eq. 1).

    Args:
        first: Vectors of one view, (N, D); their length doesn't matter.
        second: Vectors of the other, (N, D).
        temperature: Divides the cosines.

    Returns:
        (N,), the mean of both directions; zero for a single sample, which has no negatives.
    """
    count = len(first)
    vectors = F.normalize(torch.cat([first, second]).float(), dim=1)
    with torch.autocast(vectors.device.type, enabled=False):
        cosines = vectors @ vectors.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=cosines.device)
    partner = torch.arange(2 * count, device=cosines.device).roll(count)
    losses = F.cross_entropy(cosines.masked_fill(itself, -torch.inf), partner, reduction="none")
    return losses.view(2, count).mean(dim=0)
