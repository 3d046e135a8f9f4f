"""Full fine-tuning of the image tower."""

from __future__ import annotations

from dataclasses import dataclass

from deft.encoders.tunable import Tunable
from deft.tuning.base import Attachment, Tuning
from deft.tuning.own_weights import unfreeze


@dataclass(frozen=True)
class Full(Tuning):
    """Trains every weight of the image tower (FFT of the paper).

    The authors' code leaves the patch embedding, positions and first norm frozen; "full" here
    means full. Detaching restores the original weights.
    """

    @property
    def changes_images(self) -> bool:
        return True

    @property
    def changes_stem(self) -> bool:
        return True

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return unfreeze(dict(encoder.visual.named_parameters()))
