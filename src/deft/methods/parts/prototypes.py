"""Class prototypes: mean features of each class, and how near a sample is to them.

Shapes: n samples, D width of the features, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ABSENT = -5.0
"""Score of a class without samples: below −4, the least that two points of the unit ball can have."""


def centred(features: Tensor) -> Tensor:
    """Return features less their mean over all samples, at unit length.

    Source: the code of Wei et al., "Robust Long-Tailed Learning under Label Noise", arXiv 2108.11569.

    Args:
        features: (n, D).

    Returns:
        float32, (n, D); zeros for a sample that is the mean itself.
    """
    return F.normalize(features.float() - features.float().mean(dim=0), dim=1)


def class_means(features: Tensor, labels: Tensor, chosen: Tensor, classes: int) -> Tensor:
    """Return the mean feature of each class, not scaled again.

    Args:
        features: (n, D).
        labels: (n,).
        chosen: bool, (n,); a class of which none is chosen takes all its samples.
        classes: Number of classes K.

    Returns:
        (K, D); NaN for a class without samples, so that no other class takes its place.
    """
    everything, every = _sums(features, labels, torch.ones_like(chosen), classes)
    part, some = _sums(features, labels, chosen, classes)
    # 0/0 is the NaN of an absent class.
    return torch.where(some > 0, part / some, everything / every)


def nearness(features: Tensor, prototypes: Tensor) -> Tensor:
    """Return −‖f − c_k‖² of each sample and class, the scores of a nearest-class-mean classifier.

    Args:
        features: (n, D), of length 1 at most.
        prototypes: (K, D), NaN for absent classes.

    Returns:
        (n, K), `ABSENT` for absent classes.
    """
    squares = (features**2).sum(dim=1, keepdim=True) - 2 * features @ prototypes.T + (prototypes**2).sum(dim=1)
    return (-squares).clamp(max=0.0).nan_to_num(nan=ABSENT)


def _sums(features: Tensor, labels: Tensor, chosen: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the sum of the chosen features of each class, (K, D), and their number, (K, 1)."""
    weights = chosen.to(features.dtype).unsqueeze(1)
    sums = torch.zeros(classes, features.shape[1], device=features.device, dtype=features.dtype)
    counts = torch.zeros(classes, 1, device=features.device, dtype=features.dtype)
    return sums.index_add(0, labels, features * weights), counts.index_add(0, labels, weights)
