"""A MixMatch step as DivideMix has it: guess targets, mix all samples with each other, weigh three losses.

Berthelot et al., "MixMatch", NeurIPS 2019; Li et al., "DivideMix", ICLR 2020. Shapes: b samples, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from deft.losses import brier, prior_penalty, soft_cross_entropy
from deft.methods.parts.mixing import mixup
from deft.methods.parts.pseudo_labels import co_guess, co_refine, one_hot, probabilities
from deft.methods.parts.two_networks import TwoNetworks
from deft.training.batches import Batch


@dataclass(frozen=True)
class Guessed:
    """Two views of some samples to train on, and what they are taken to show.

    Args:
        views: As the network reads them, (b, ...) each.
        targets: Probabilities, the same for each view, (b, K).
    """

    views: tuple[Tensor, ...]
    targets: Tensor


def refine(network: nn.Module, batch: Batch, weights: Tensor, *, classes: int, temperature: float) -> Guessed:
    """Return labelled samples, their labels mixed with what the network itself says of the first two views.

    Args:
        network: The one that will be trained on them.
        batch: With two views, or four of which the last two are trained on.
        weights: Probability of each row's label to be right, (N,).
        classes: K.
        temperature: Temperature of the sharpening.
    """
    labels = one_hot(batch.labels, classes)
    seen = [probabilities(network, view) for view in batch.views[:2]]
    return Guessed(batch.views[-2:], co_refine(labels, weights[batch.index], seen, temperature))


def guess(networks: TwoNetworks, batch: Batch | None, *, temperature: float) -> Guessed | None:
    """Return unlabelled samples, with what both networks say of the first two views; None for none.

    Args:
        networks: Both are asked.
        batch: With two views, or four of which the last two are trained on.
        temperature: Temperature of the sharpening.
    """
    if batch is None:
        return None
    seen = [probabilities(network, view) for network in networks.both for view in batch.views[:2]]
    return Guessed(batch.views[-2:], co_guess(seen, temperature))


def mixmatch_loss(
    network: nn.Module,
    labelled: Guessed,
    unlabelled: Guessed | None,
    *,
    alpha: float,
    weight: float,
    rng: np.random.Generator,
) -> Tensor:
    """Return L_x + λ_u·L_u + L_pen on mixtures of all views with each other.

    L_x is the cross-entropy of mixtures that are mostly labelled, L_u the squared error of the others, L_pen keeps
    the mean prediction from leaving classes out. The mixtures are forwarded together, without MixMatch's
    interleaving, as in DivideMix (issue 53). With λ_u = 0 only the first are forwarded, as DivideMix does on photos
    from the web.

    Args:
        network: Is trained.
        labelled: Samples whose labels are believed.
        unlabelled: The others; None if there are none.
        alpha: Parameter of the mixup.
        weight: λ_u at this point of the training.
        rng: Draws the mixup.

    Returns:
        A scalar.
    """
    parts = [labelled] if unlabelled is None else [labelled, unlabelled]
    inputs = torch.cat([view for part in parts for view in part.views])
    targets = torch.cat([part.targets for part in parts for _ in part.views])
    inputs, targets = mixup(inputs, targets, alpha=alpha, rng=rng)
    count = len(labelled.targets) * len(labelled.views)
    if weight == 0:
        inputs, targets = inputs[:count], targets[:count]
    scores = network(inputs)
    believed = soft_cross_entropy(scores[:count], targets[:count])
    doubted = brier(scores[count:], targets[count:])
    # Either part of a batch may be empty.
    fitted = believed.sum() / max(count, 1) + weight * doubted.sum() / max(len(doubted), 1)
    return fitted + prior_penalty(scores)
