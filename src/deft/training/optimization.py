"""How losses are minimised: optimizer, learning rate and its schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from deft.arguments import checked
from deft.errors import SettingsError
from deft.shown import short_repr
from deft.training.precision import Precision

OptimizerName = Literal["sgd", "adam", "adamw"]
ScheduleName = Literal["cosine", "linear", "constant", "steps"]


@checked
@dataclass(frozen=True)
class Optimization:
    """How losses are minimised; the defaults are those of DeFT's first phase.

    Args:
        learning_rate: Learning rate at the start, or after the warm-up.
        momentum: Momentum of SGD; the other optimizers keep their usual betas.
        weight_decay: Weight decay of the optimizer.
        clip: Largest norm of the gradient; None leaves it alone.
        precision: Number format of the activations; weights are float32 in any case.
        optimizer: "sgd", "adam" or "adamw".
        schedule: How the rate changes: "cosine" or "linear" to zero, "constant", or "steps" (a tenth of it from each
            milestone on).
        per: Whether the rate changes after every "epoch", as in DeFT, or every "step".
        warmup: Epochs in which the rate rises from zero.
        milestones: Where "steps" lowers the rate, as shares of the training.
        accumulate: Losses whose gradients are averaged for one step of the optimizer.

    Raises:
        SettingsError: A value makes no sense; the sentence says which.

    Example:
        >>> Optimization(learning_rate=0.1, optimizer="adamw").rate(epoch=5, epochs=10)
        0.05
    """

    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float | None = None
    precision: Precision = "auto"
    optimizer: OptimizerName = "sgd"
    schedule: ScheduleName = "cosine"
    per: Literal["epoch", "step"] = "epoch"
    warmup: float = 0.0
    milestones: tuple[float, ...] = (0.5, 0.75)
    accumulate: int = 1

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise SettingsError(f"The learning rate must be positive, not {self.learning_rate}.")
        if not 0 <= self.momentum < 1:
            raise SettingsError(f"Momentum lies in 0 ≤ m < 1, not at {self.momentum}.")
        for what, size in (("weight decay", self.weight_decay), ("warm-up", self.warmup)):
            if not 0 <= size < math.inf:
                raise SettingsError(f"The {what} can't be {size}.")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise SettingsError(f"Gradients can't be clipped to a norm of {self.clip}.")
        if not all(0 <= border <= 1 for border in self.milestones):
            raise SettingsError(f"Milestones are shares of the training, from 0 to 1, not {self.milestones}.")
        for value, known, name in (
            (self.optimizer, ("sgd", "adam", "adamw"), "optimizer"),
            (self.schedule, ("cosine", "linear", "constant", "steps"), "schedule"),
            (self.per, ("epoch", "step"), "pace of the schedule"),
        ):
            if value not in known:
                raise SettingsError(f"Unknown {name} {value!r}. Known: {', '.join(known)}.")
        if self.accumulate < 1:
            raise SettingsError(f"At least one loss goes into a step, not {self.accumulate}.")

    def rate(self, epoch: float, epochs: int) -> float:
        """Return the learning rate at a point of the training.

        The cosine is that of Loshchilov & Hutter 2017.

        Args:
            epoch: Epochs done, plus the share of the current one.
            epochs: Number of epochs.
        """
        if self.per == "epoch":
            epoch = math.floor(epoch)
        if epoch < self.warmup:
            return self.learning_rate * max(epoch, 0.1) / self.warmup
        done = epoch / epochs
        match self.schedule:
            case "constant":
                return self.learning_rate
            case "linear":
                return self.learning_rate * (1 - done)
            case "steps":
                return self.learning_rate * 0.1 ** sum(done >= border for border in self.milestones)
            case _:
                return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of some weights.

        Args:
            weights: The weights that it updates.
        """
        rate, decay = self.learning_rate, self.weight_decay
        match self.optimizer:
            case "adam":
                return torch.optim.Adam(weights, lr=rate, weight_decay=decay)
            case "adamw":
                return torch.optim.AdamW(weights, lr=rate, weight_decay=decay)
            case _:
                return torch.optim.SGD(weights, lr=rate, momentum=self.momentum, weight_decay=decay)
