"""Full fine-tuning as the authors' code has it: the transformer layers, and nothing before or behind them."""

from __future__ import annotations

from dataclasses import dataclass

from deft.encoders.tunable import Tunable
from deft.tuning.base import Attachment, Tuning
from deft.tuning.own_weights import layers_of, unfreeze


@dataclass(frozen=True)
class Layers(Tuning):
    """Trains every weight of the image tower's transformer layers, beside the head that every classifier has.

    The authors of DeFT call this full fine-tuning: patch embedding, positions, first and last norm stay as they are.
    What comes before the first layer can be computed once, which on the bundled `tiny` is most of the work.
    """

    @property
    def changes_images(self) -> bool:
        return True

    @property
    def changes_stem(self) -> bool:
        return False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return unfreeze(dict(layers_of(encoder, "Layers").named_parameters()))
