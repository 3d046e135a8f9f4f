"""Bottleneck adapters (Houlsby et al., ICML 2019) behind every layer of the image tower."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deft.arguments import checked
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.tuning.base import Attachment, Tuning


@checked
@dataclass(frozen=True, repr=False)
class Adapter(Tuning):
    """Adds up(gelu(down(x))) to every layer's output x; it starts as the identity (Houlsby et al., ICML 2019).

    Args:
        width: Width of the bottleneck.

    Example:
        >>> DeFT(encoder, tuning=Adapter(width=64))  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = False

    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise SettingsError(f"An adapter needs a width of at least 1, not {self.width}.")

    def attach(self, encoder: DualEncoder, *, seed: int) -> Attachment:
        layers, wide = list(encoder.layers), encoder.width
        generator = torch.Generator().manual_seed(seed)
        bound = 1 / math.sqrt(wide)
        down = (torch.rand(len(layers), self.width, wide, generator=generator) * 2 - 1) * bound
        place = encoder.device
        weights = {
            "down": nn.Parameter(down.to(place)),
            "down_bias": nn.Parameter(torch.zeros(len(layers), self.width, device=place)),
            # Zeros, so that the untrained adapter changes nothing.
            "up": nn.Parameter(torch.zeros(len(layers), wide, self.width, device=place)),
            "up_bias": nn.Parameter(torch.zeros(len(layers), wide, device=place)),
        }
        handles = [layer.register_forward_hook(_residual(weights, depth)) for depth, layer in enumerate(layers)]

        def undo() -> None:
            for handle in handles:
                handle.remove()

        return Attachment(weights, undo)


def _residual(weights: dict[str, nn.Parameter], depth: int) -> Any:
    def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        narrow = F.gelu(F.linear(output, weights["down"][depth], weights["down_bias"][depth]))
        return output + F.linear(narrow, weights["up"][depth], weights["up_bias"][depth])

    return hook
