"""Learned prompts: sentences whose words before the class name are trained, alone (CoOp) or in pairs (DeFT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.encoders.text import NamePosition, TextTower
from deft.errors import SettingsError

CONTEXT_STD = 0.02  # of the initial context vectors, as in CoOp (Zhou et al. 2022) and DeFT


@checked
@dataclass(frozen=True)
class PromptSettings:
    """What learned prompts look like.

    Args:
        length: Number of context vectors M.
        position: Where the class name stands among them: "end" as in the paper, "middle" or "front".
        class_specific: Whether each class learns contexts of its own; the paper's are shared.

    Raises:
        SettingsError: There is no context vector, or no such position.

    Example:
        >>> DeFT(encoder, prompts=PromptSettings(class_specific=True))  # doctest: +SKIP
    """

    length: int = 16
    position: NamePosition = "end"
    class_specific: bool = False

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingsError(f"Learned prompts need at least one context vector, not {self.length}.")
        if self.position not in get_args(NamePosition):
            known = ", ".join(get_args(NamePosition))
            raise SettingsError(f"Unknown position {self.position!r} of the class name. Known: {known}.")


class DualPrompts(nn.Module):
    """Learned contexts [V]₁…[V]_M before each class name, a positive and a negative set (DeFT, Eq. 2 and 3).

    Args:
        text: The text tower that will read them.
        classes: Class names, K of them.
        settings: Their length, position and kind.
        seed: Draws the initial vectors.

    Example:
        >>> prompts = DualPrompts(encoder.text, ["cat", "dog"], PromptSettings(length=16))  # doctest: +SKIP
        >>> positive, negative = prompts(encoder.text)  # (2, D) each  # doctest: +SKIP
    """

    def __init__(
        self,
        text: TextTower,
        classes: Sequence[str],
        settings: PromptSettings | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        settings = settings or PromptSettings()
        length, own = settings.length, settings.class_specific
        self.plan = text.plan_prompts(classes, length=length, position=settings.position, shared=not own)
        generator = torch.Generator().manual_seed(seed)
        shape = (len(classes), length, text.width) if own else (length, text.width)
        place = next(text.parameters()).device

        def draw() -> nn.Parameter:
            return nn.Parameter((torch.randn(shape, generator=generator) * CONTEXT_STD).to(place))

        self.positive = draw()
        self.negative = draw()

    def forward(self, text: TextTower, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return unit features of the positive and the negative prompts, (K, D) each, from one pass.

        Args:
            text: The text tower.
            classes: Some of the classes, whose features alone are wanted, (K,); None for all.
        """
        plan, contexts = self.plan, torch.stack([self.positive, self.negative])
        if classes is not None:
            plan = plan.part(classes.tolist())
            contexts = contexts if plan.shared_context else contexts[:, classes.to(contexts.device)]
        features = text.encode_plan(plan, contexts)
        return features[0], features[1]


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
        """Return unit features of the classes' prompts, (K, D)."""
        return text.encode_plan(self.plan, self.context[None])[0]
