"""Training the encoder's own weights: all of them, its layers, its biases, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from deft.encoders.tunable import Tunable
from deft.errors import ModelError
from deft.tuning.base import Attachment, Tuning


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
    """Return the transformer layers of a model, for a tuning that needs them.

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


@dataclass(frozen=True, repr=False)
class Full(Tuning):
    """Trains every weight of the image tower (FFT of the paper).

    The authors' code leaves the patch embedding, positions and first norm frozen; "full" here
    means full. Detaching restores the original weights.

    Example:
        >>> DeFT(encoder, tuning=Full(), optimization=Optimization(learning_rate=1e-5))  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = True

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return unfreeze(dict(encoder.visual.named_parameters()))


@dataclass(frozen=True, repr=False)
class Layers(Tuning):
    """Trains every weight of the image tower's transformer layers, beside the head that every classifier has.

    The authors of DeFT call this full fine-tuning: patch embedding, positions, first and last norm stay as they are.
    What comes before the first layer can be computed once, which on the bundled `tiny` is most of the work.

    Example:
        >>> adapt("tiny", images, tuning=Layers())  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return unfreeze(dict(layers_of(encoder, "Layers").named_parameters()))


@dataclass(frozen=True, repr=False)
class Bias(Tuning):
    """Trains the bias of every linear layer and norm between the image tower's stem and its end.

    Source: BitFit (Ben Zaken et al., ACL 2022).

    Example:
        >>> DeFT(encoder, tuning=Bias())  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        # Convolutional nets have no transformer layers; theirs are the biases of all norms and convolutions.
        part = encoder.layers if len(encoder.layers) else encoder.visual
        named = part.named_parameters()
        return unfreeze({name: weight for name, weight in named if name.endswith("bias")})


@dataclass(frozen=True, repr=False)
class Frozen(Tuning):
    """Leaves the image tower alone, so that image features are computed once: one pass, then seconds.

    Example:
        >>> DeFT(encoder, tuning=Frozen())  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = False
    changes_stem: ClassVar[bool] = False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return Attachment({}, lambda: None, lambda: None)
