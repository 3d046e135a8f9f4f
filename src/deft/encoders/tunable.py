"""What a tuning has to know of the model that it changes."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn


class Tunable(Protocol):
    """An image tower whose own weights can be trained: that of a `DualEncoder`, or a `VisionModel`."""

    @property
    def layers(self) -> nn.ModuleList:
        """Its transformer layers, in order; empty where it has none."""

    @property
    def visual(self) -> nn.Module:
        """All of it: what full fine-tuning trains."""

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
