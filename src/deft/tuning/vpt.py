"""Visual prompt tuning (Jia et al., ECCV 2022): learned tokens beside those of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from deft.arguments import checked
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.tuning.base import Attachment, Tuning


@checked
@dataclass(frozen=True, repr=False)
class VPT(Tuning):
    """Visual prompts, new ones for every layer ("deep", Jia et al. 2022, Eq. 5) or for the first ("shallow", Eq. 4).

    With prompts in the last few layers only, what enters the first of these is computed once and kept on the disk
    (docs/speed.md has the cost, and what it does to the verdict).

    Args:
        length: Number of prompt tokens; DeFT uses 20.
        depth: "deep" replaces the prompts at every layer, "shallow" lets the first layer's pass through.
        layers: Number of the last layers that have prompts; None for all layers.

    Example:
        >>> with VPT(length=20).attach(encoder, seed=0) as prompts:  # doctest: +SKIP
        ...     features = encoder.encode_images(pixels)
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = False

    length: int = 20
    depth: Literal["deep", "shallow"] = "deep"
    layers: int | None = None

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingsError(f"VPT needs at least one prompt token, not {self.length}.")
        if self.depth not in ("deep", "shallow"):
            raise SettingsError(f"Unknown depth {self.depth!r} of VPT. Known: deep, shallow.")
        if self.layers is not None and self.layers < 1:
            raise SettingsError(f"VPT needs prompts in at least one layer, not {self.layers}.")

    def first_layer(self, depth: int) -> int:
        if self.layers is None:
            return 0
        if self.layers > depth:
            raise SettingsError(f"VPT is to have prompts in {self.layers} layers, and the image tower has {depth}.")
        return depth - self.layers

    def attach(self, encoder: DualEncoder, *, seed: int) -> Attachment:
        layers = list(encoder.layers)[self.first_layer(len(encoder.layers)) :]
        prompted = layers if self.depth == "deep" else layers[:1]
        generator = torch.Generator().manual_seed(seed)
        # Xavier's bound for the model's own patch embedding, as the authors of VPT draw them.
        bound = math.sqrt(6 / (3 * encoder.patch_size**2 + encoder.width))
        shape = (len(prompted), self.length, encoder.width)
        values = (torch.rand(shape, generator=generator) * 2 - 1) * bound
        prompts = nn.Parameter(values.to(encoder.device))

        handles = [
            layer.register_forward_pre_hook(hook, with_kwargs=True)
            for layer, hook in zip(layers, self._hooks(prompts, len(layers)), strict=True)
        ]

        def undo() -> None:
            for handle in handles:
                handle.remove()

        return Attachment({"prompts": prompts}, undo)

    def _hooks(self, prompts: nn.Parameter, layers: int) -> list[Any]:
        """Return the hook before each layer; prompts that no later layer reads are only keys and values of this one."""
        if self.depth == "deep" or layers == 1:
            return [_add_keys_and_values(prompts, depth) for depth in range(layers)]
        # Shallow prompts pass through all layers but the last, where only their keys and values are read.
        return [_append(prompts), *[_leave] * (layers - 2), self._as_keys_and_values]

    def _as_keys_and_values(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tokens, *rest = args
        image, prompts = tokens[:, : -self.length], tokens[:, -self.length :]
        return (image, *rest), {**kwargs, "prompts": prompts}


def _add_keys_and_values(prompts: nn.Parameter, depth: int) -> Any:
    def hook(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args, {**kwargs, "prompts": prompts[depth]}

    return hook


def _append(prompts: nn.Parameter) -> Any:
    def hook(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tokens, *rest = args
        spread = prompts[0].to(tokens.dtype).expand(len(tokens), -1, -1)
        return (torch.cat([tokens, spread], dim=1), *rest), kwargs

    return hook


def _leave(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args, kwargs
