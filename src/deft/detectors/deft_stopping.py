"""When DeFT stops training an image tower: once labels that it hasn't learned are foretold no better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from deft.arguments import checked
from deft.detectors.deft_training import DualPromptTraining, Ending
from deft.detectors.deft_verdicts import prompt_scores
from deft.detectors.stratified import Stratified
from deft.errors import SettingsError
from deft.evidence.experts import even_likelihoods
from deft.progress import Silent
from deft.training.batches import Batches
from deft.training.inputs import Inputs, Reading

MOST, FEWEST = 1_000, 50  # images held out; with fewer, chance would decide, so none are


@checked
@dataclass(frozen=True)
class Stopping:
    """When training ends before its last epoch.

    Some images are held out: their labels aren't learned, and after each epoch it is seen how well they are foretold.
    Training ends once that has not risen by more than a standard error for so many epochs. It concerns a tuning that
    changes the image tower; with kept features an epoch costs next to nothing.

    Source: early stopping by held-out data (Prechelt 1998), here by the likelihood of labels some of which are wrong.

    Args:
        patience: Epochs in a row without a rise after which training ends; None trains for all epochs.
        share: Share of the images that are held out, 0 < share ≤ 0.5; at most 1 000 images, and none if that would be
            fewer than 50.

    Raises:
        SettingsError: A value is out of its bounds.

    Example:
        >>> DeFT(encoder, tuning=VPT(length=20), stopping=Stopping(patience=2))  # doctest: +SKIP
    """

    patience: int | None = None
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise SettingsError(
                f"Training can't end after {self.patience} epochs without a rise; at least 1 is needed."
            )
        if not 0 < self.share <= 0.5:
            raise SettingsError(f"The share of images held out lies in 0 < share ≤ 0.5, not at {self.share}.")

    def split(self, inputs: Inputs, content: Sequence[str], reading: Reading) -> tuple[Batches, HeldOut | None]:
        """Return the samples to train on, and what ends training by the others; None if there are none.

        Args:
            inputs: What is learned from.
            content: As in `held_out`.
            reading: Number format of the passes over what is held out, and the seed.
        """
        held = self.held_out(inputs, content, reading.seed)
        if self.patience is None or not len(held):
            return inputs.batches, None
        learned = inputs.batches.only(np.setdiff1d(inputs.batches.rows, held))
        return learned, HeldOut(inputs.batches.subset(held), self.patience, reading)

    def held_out(self, inputs: Inputs, content: Sequence[str], seed: int) -> np.ndarray:
        """Return the rows that are held out, rising: none that has a duplicate or a label that a person confirmed.

        Args:
            inputs: What is learned from.
            content: Name of each image's content (`LabeledImages.content_id`), (N,).
            seed: Draws.
        """
        rows = inputs.batches.rows
        count = min(int(self.share * len(rows)), MOST)
        if self.patience is None or count < FEWEST:
            return rows[:0]
        kept = Stratified(len(rows) - count).draw(rows, inputs.batches.labels, content, inputs.trusted, seed)
        held: np.ndarray = np.setdiff1d(rows, kept)
        held = held[inputs.groups[held] < 0]
        return held if len(held) >= FEWEST else rows[:0]


@final
class HeldOut(Ending):
    """Images whose labels are foretold after every epoch; what it remembers is part of a checkpoint.

    Args:
        batches: The images.
        patience: As in `Stopping`.
        reading: Number format of the pass.
    """

    best: Tensor
    counts: Tensor

    def __init__(self, batches: Batches, patience: int, reading: Reading) -> None:
        super().__init__()
        self._batches, self._patience, self._reading = batches, patience, reading
        self.register_buffer("best", torch.zeros(len(batches.rows), dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(2, dtype=torch.int64))  # epochs, and those since the last rise

    @property
    def epochs(self) -> int:
        """Epochs that were looked at."""
        return int(self.counts[0])

    @property
    def over(self) -> bool:
        """Whether training has ended."""
        return int(self.counts[1]) >= self._patience

    def settled(self, method: DualPromptTraining) -> bool:
        now = self._likelihoods(method)
        risen = self.epochs == 0 or _surely_more(now, self.best)
        self.counts += torch.tensor([1, 1])
        if risen:
            self.best.copy_(now)
            self.counts[1] = 0
        return self.over

    def _likelihoods(self, method: DualPromptTraining) -> Tensor:
        """Return the log-likelihood of each label under both prompts and even noise, (n,)."""
        parts = [
            (positive.float().cpu(), (positive - negative).float().cpu(), batch.labels.cpu())
            for batch, positive, negative in prompt_scores(
                method, self._batches, self._reading, Silent(), "Foretelling labels"
            )
        ]
        likes, odds, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        return even_likelihoods([likes, odds], labels).double()


def _surely_more(now: Tensor, before: Tensor) -> bool:
    """Return whether the mean has risen by more than the standard error of the rise."""
    rise = now - before
    return float(rise.mean()) > float(rise.std()) / math.sqrt(len(rise))
