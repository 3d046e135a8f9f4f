"""Low-rank adaptation (Hu et al., ICLR 2022) of the image tower's attention, by peft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from deft.arguments import checked
from deft.encoders.tunable import Tunable
from deft.errors import SettingsError
from deft.tuning.base import Attachment, Tuning
from deft.tuning.fine_tuning import layers_of

QUERIES_AND_VALUES = ("q_proj", "v_proj", "query", "value")
"""What transformers calls these projections, by family."""


@checked
@dataclass(frozen=True, repr=False)
class LoRA(Tuning):
    """Adds a product of two thin matrices to the query and value projections of every layer (Hu et al. 2022, Eq. 3).

    Args:
        rank: Inner size r of the product.
        alpha: Its scale is alpha / rank.

    Example:
        >>> DeFT(encoder, tuning=LoRA(rank=8))  # doctest: +SKIP
    """

    changes_images: ClassVar[bool] = True
    changes_stem: ClassVar[bool] = False

    rank: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise SettingsError(f"LoRA needs a rank of at least 1, not {self.rank}.")

    def attach(self, encoder: Tunable, *, seed: int) -> Attachment:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel

        visual = encoder.visual
        inside = {id(module) for module in layers_of(encoder, "LoRA").modules()}
        targets = [
            name
            for name, module in visual.named_modules()
            if isinstance(module, nn.Linear) and id(module) in inside and name.rsplit(".", 1)[-1] in QUERIES_AND_VALUES
        ]
        config = LoraConfig(r=self.rank, lora_alpha=self.alpha, target_modules=targets, lora_dropout=0.0)
        # peft draws from the global generator; the seed must not leak out of here.
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            adapted = LoraModel(visual, {"default": config}, "default")
        weights = {name: weight for name, weight in visual.named_parameters() if "lora_" in name}

        def undo() -> None:
            adapted.unload()

        def merge() -> None:
            adapted.merge_and_unload()

        return Attachment(weights, undo, merge)
