"""Training some of the encoder's own weights, and putting the originals back afterwards."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from deft.encoders.tunable import Tunable
from deft.errors import ModelError
from deft.tuning.base import Attachment


def unfreeze(weights: Mapping[str, nn.Parameter]) -> Attachment:
    """Make an encoder's own weights trainable until the attachment is detached.

    Args:
        weights: The parameters by name.
    """
    originals = {name: weight.detach().clone() for name, weight in weights.items()}
    for weight in weights.values():
        weight.requires_grad_(True)

    def undo() -> None:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(originals[name])
                weight.requires_grad_(False)
                weight.grad = None

    return Attachment(weights, undo, lambda: None)


def layers_of(model: Tunable, tuning: str) -> nn.ModuleList:
    """The transformer layers of a model, for a tuning that can't do without.

    Raises:
        ModelError: It has none.
    """
    layers = model.layers
    if not len(layers):
        raise ModelError(
            f"{tuning} needs transformer layers with attention, and this backbone has none; "
            "Full, Frozen and Bias fit it."
        )
    return layers
