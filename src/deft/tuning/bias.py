"""BitFit (Ben Zaken et al., ACL 2022): only the biases are trained."""

from __future__ import annotations

from dataclasses import dataclass

from deft.encoders.tunable import Tunable
from deft.tuning.base import Attachment, Tuning
from deft.tuning.own_weights import unfreeze


@dataclass(frozen=True)
class Bias(Tuning):
    """Trains the bias of every linear layer and norm between the image tower's stem and its end."""

    @property
    def changes_images(self) -> bool:
        return True

    @property
    def changes_stem(self) -> bool:
        return False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        # Convolutional nets have no transformer layers; theirs are the biases of all norms and convolutions.
        part = encoder.layers if len(encoder.layers) else encoder.visual
        named = part.named_parameters()
        return unfreeze({name: weight for name, weight in named if name.endswith("bias")})
