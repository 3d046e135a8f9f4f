"""Visual prompt tuning (Jia et al., ECCV 2022): learned tokens beside those of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.tuning.base import Attachment, Tuning


@dataclass(frozen=True)
class VPT(Tuning):
    """Visual prompts, new ones for every layer ("deep", Jia et al. 2022, Eq. 5) or for the first ("shallow", Eq. 4).

    Args:
        length: Number of prompt tokens; DeFT uses 20.
        depth: "deep" replaces the prompts at every layer, "shallow" lets the first layer's pass through.

    Example:
        >>> with VPT(length=20).attach(encoder, seed=0) as prompts:  # doctest: +SKIP
        ...     features = encoder.encode_images(pixels)
    """

    length: int = 20
    depth: Literal["deep", "shallow"] = "deep"

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingsError(f"VPT needs at least one prompt token, not {self.length}.")
        if self.depth not in ("deep", "shallow"):
            raise SettingsError(f"Unknown depth {self.depth!r} of VPT. Known: deep, shallow.")

    @property
    def changes_images(self) -> bool:
        return True

    @property
    def changes_stem(self) -> bool:
        return False

    def attach(self, encoder: DualEncoder, *, seed: int) -> Attachment:
        layers = list(encoder.layers)
        prompted = layers if self.depth == "deep" else layers[:1]
        generator = torch.Generator().manual_seed(seed)
        # Xavier's bound for a 16 px patch embedding, as the authors of VPT and DeFT draw them.
        bound = math.sqrt(6 / (3 * 16 * 16 + encoder.width))
        shape = (len(prompted), self.length, encoder.width)
        values = (torch.rand(shape, generator=generator) * 2 - 1) * bound
        prompts = nn.Parameter(values.to(encoder.device))

        handles = [layers[0].register_forward_pre_hook(self._append(prompts, 0))]
        for depth in range(1, len(prompted)):
            handles.append(prompted[depth].register_forward_pre_hook(self._replace(prompts, depth)))
        handles.append(layers[-1].register_forward_hook(self._drop))

        def undo() -> None:
            for handle in handles:
                handle.remove()

        return Attachment({"prompts": prompts}, undo)

    def _append(self, prompts: nn.Parameter, depth: int) -> Any:
        def hook(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            tokens, *rest = inputs
            return (torch.cat([tokens, _spread(prompts[depth], tokens)], dim=1), *rest)

        return hook

    def _replace(self, prompts: nn.Parameter, depth: int) -> Any:
        def hook(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            tokens, *rest = inputs
            kept = tokens[:, : -self.length]
            return (torch.cat([kept, _spread(prompts[depth], tokens)], dim=1), *rest)

        return hook

    def _drop(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        return output[:, : -self.length]


def _spread(prompts: Tensor, tokens: Tensor) -> Tensor:
    """The same prompts (n, W) for every image of the batch, (B, n, W)."""
    return prompts.to(tokens.dtype).expand(len(tokens), -1, -1)
