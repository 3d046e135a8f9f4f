"""The score pass: what a network says of every training sample, in evaluation mode and without augmentation.

Shapes: N rows of the data set, n rows that take part, B batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deft.errors import ModelError
from deft.losses import cross_entropy
from deft.training.batches import Batches


def score_pass(network: nn.Module, train: Batches, score: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return one value per row of the data set, keyed by row, so that no order is assumed anywhere.

    Args:
        network: Put into evaluation mode for the pass, and back.
        train: The samples; each is seen once, as it is.
        score: Gives (B,) or (B, ...) of inputs (B, ...) and labels (B,).

    Returns:
        float32, (N,) or (N, ...), NaN in rows that don't take part.

    Raises:
        ModelError: A value is not finite.
    """
    mode = network.training
    network.eval()
    table: Tensor | None = None
    with torch.no_grad():
        for batch in train.ordered():
            values, index = score(batch.inputs, batch.labels).float(), batch.index
            if table is None:
                shape = (len(train.labels), *values.shape[1:])
                table = torch.full(shape, float("nan"), device=values.device)
            table[index] = values
            # A choice made from such values would be empty, and the run would go on learning nothing.
            if not values.isfinite().all():
                raise ModelError(
                    "The network's scores of the training samples became infinite or NaN; try a smaller rate."
                )
    network.train(mode)
    return torch.full((len(train.labels),), float("nan"), device=train.device) if table is None else table


def score_losses(network: nn.Module, train: Batches) -> Tensor:
    """Return the cross-entropy of every given label, (N,), NaN in rows that don't take part."""
    return score_pass(network, train, lambda inputs, labels: cross_entropy(network(inputs), labels))
