"""Targets for samples whose labels are doubted, made from what networks say of them.

Shapes: b samples, K classes. No gradient runs through a target.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def probabilities(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return a network's probabilities for a batch outside of training, (b, K): no gradient, no dropout.

    The public codes leave batch normalisation in training mode here, so that guessing moves its statistics; one of
    DivideMix's authors writes that evaluation mode is fine (issue 44).

    Args:
        network: Gives class scores; goes on in the mode it was in.
        inputs: A batch.
    """
    mode = network.training
    network.eval()
    with torch.no_grad():
        probs: Tensor = network(inputs).float().softmax(dim=1)
    network.train(mode)
    return probs


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Return labels (b,) as probabilities (b, K), float32."""
    return F.one_hot(labels, classes).float()


def sharpen(probs: Tensor, temperature: float) -> Tensor:
    """Return q_k ∝ p_k^(1/T): surer for T < 1 (MixMatch, Berthelot et al., NeurIPS 2019, Eq. 7).

    Args:
        probs: (b, K).
        temperature: T.

    Returns:
        (b, K), rows that sum to one.
    """
    # As a softmax of logarithms, since small probabilities to a high power would all be zero.
    logs = probs.float().clamp(min=torch.finfo(torch.float32).tiny).log()
    return (logs / temperature).softmax(dim=1)


def co_refine(labels: Tensor, weights: Tensor, views: Sequence[Tensor], temperature: float) -> Tensor:
    """Return sharpened w·y + (1 − w)·p̄, the targets of labelled samples (DivideMix, Li et al., ICLR 2020).

    Args:
        labels: Given labels y as probabilities, (b, K).
        weights: Probability w that each label is right, (b,).
        views: What the network says of each view, (b, K) each; p̄ is their mean.
        temperature: Temperature of the sharpening.

    Returns:
        (b, K), rows that sum to one.
    """
    share = weights.float().unsqueeze(1)
    return sharpen(share * labels + (1 - share) * _mean(views), temperature)


def co_guess(views: Sequence[Tensor], temperature: float) -> Tensor:
    """Return the sharpened mean over views and networks: targets of unlabelled samples (DivideMix, ICLR 2020).

    Args:
        views: What each network says of each view, (b, K) each.
        temperature: Temperature of the sharpening.

    Returns:
        (b, K), rows that sum to one.
    """
    return sharpen(_mean(views), temperature)


def shift_by_prior(logits: Tensor, prior: Tensor, strength: float) -> Tensor:
    """Return z + a·log π: for a > 0 the debiased scores of a loss, for a < 0 those of a pseudo-label.

    ProMix (IJCAI 2023) debiases so.

    Args:
        logits: z, (b, K).
        prior: How often each class is predicted, π, (K,).
        strength: a.
    """
    return logits.float() + strength * prior.clamp(min=1e-12).log()


def _mean(views: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(views)).mean(dim=0)
