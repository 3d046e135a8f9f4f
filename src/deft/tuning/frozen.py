"""No tuning of the image tower: only the prompts of the text side are learned."""

from __future__ import annotations

from dataclasses import dataclass

from deft.encoders.tunable import Tunable
from deft.tuning.base import Attachment, Tuning


@dataclass(frozen=True)
class Frozen(Tuning):
    """Leaves the image tower alone, so that image features are computed once: one pass, then seconds."""

    @property
    def changes_images(self) -> bool:
        return False

    @property
    def changes_stem(self) -> bool:
        return False

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        return Attachment({}, lambda: None, lambda: None)
