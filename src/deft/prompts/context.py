"""Learned prompts: one sentence for each class whose words before the name are trained (CoOp)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deft.encoders.text import NamePosition, TextTower
from deft.errors import SettingsError

CONTEXT_STD = 0.02  # of the initial context vectors, as in CoOp and DeFT


class LearnedPrompts(nn.Module):
    """Context vectors [V]₁…[V]_M shared by all classes, with each class's name (Zhou et al., IJCV 2022, Eq. 2).

    Args:
        text: The text tower that will read them.
        classes: Class names, K of them.
        length: Number of context vectors M.
        position: Where the class name stands among them.
        seed: Draws the initial vectors.
    """

    def __init__(
        self,
        text: TextTower,
        classes: Sequence[str],
        *,
        length: int = 16,
        position: NamePosition = "end",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if length < 1:
            raise SettingsError(f"Learned prompts need at least one context vector, not {length}.")
        self.plan = text.plan_prompts(classes, length=length, position=position)
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn(length, text.width, generator=generator) * CONTEXT_STD
        self.context = nn.Parameter(vectors.to(next(text.parameters()).device))

    def forward(self, text: TextTower) -> Tensor:
        """Unit features of the classes' prompts, (K, D)."""
        return text.encode_plan(self.plan, self.context[None])[0]
