"""Selection by a mixture over the losses, with one network (the choice of DivideMix, Li et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.score_pass import score_losses
from deft.selection import two_component_posterior, unit_range
from deft.training.batches import Batch, Batches
from deft.training.loop import Training


@checked
@dataclass(frozen=True, repr=False)
class GMM(Method):
    """Learns from all labels in a warm-up, then in each epoch from those that a mixture over the losses calls clean.

    Section 3.1 of the paper, as DeFT uses it for a baseline: one network, and nothing is learned from the rest.
    The losses come from a pass in evaluation mode over plain images.

    Args:
        threshold: A label is clean if its posterior probability is above it.
        warmup: Epochs of cross-entropy on all labels.
        per_class: Whether each class gets its own mixture.
        history: How many score passes' losses, scaled to 0..1, are averaged; DivideMix takes 5 at 90 % noise, else 1.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=GMM())  # doctest: +SKIP
    """

    threshold: float = 0.5
    warmup: int = 1
    per_class: bool = False
    history: int = 1
    citation: ClassVar[str] = (
        "J. Li, R. Socher, S. C. H. Hoi: DivideMix: Learning with Noisy Labels as Semi-supervised Learning. ICLR 2020."
    )

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise SettingsError(f"The threshold is a probability in 0..1, below 1, not {self.threshold}.")
        if self.warmup < 0:
            raise SettingsError(f"The warm-up can't be shorter than 0 epochs, but is {self.warmup}.")
        if self.history < 1:
            raise SettingsError(f"At least one score pass is needed, not {self.history}.")

    @classmethod
    def for_real_noise(cls) -> GMM:
        """Return DeFT's settings for CIFAR-100N, WebVision and Tiny-ImageNet: a warm-up of 5 epochs."""
        return cls(warmup=5)

    def build(self, run: TrainingContext) -> Training:
        return _MixtureTraining(run.network(run.seed), self, run)


class _MixtureTraining(Training):
    past: Tensor

    def __init__(self, network: Classifier, settings: GMM, run: TrainingContext) -> None:
        super().__init__()
        self.network = network
        self._settings = settings
        self._seed = run.seed
        # The last few losses of every row, the newest first; NaN where there is none yet.
        self.register_buffer("past", torch.full((settings.history, len(run.labels)), torch.nan))

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if epoch < self._settings.warmup:
            chosen = torch.ones(len(train.labels), dtype=torch.bool, device=train.device)
        else:
            chosen = torch.from_numpy(self._clean(train)).to(train.device)
        for batch in train.epoch(epoch):
            yield self._mean_over(batch, chosen[batch.index])

    def _clean(self, train: Batches) -> np.ndarray:
        """Return whether each row is called clean, (N,)."""
        newest = torch.from_numpy(unit_range(score_losses(self.network, train).cpu())).to(self.past)
        self.past = torch.cat([newest[None], self.past[:-1]])
        labels = train.labels if self._settings.per_class else None
        losses = self.past[~self.past.isnan().all(dim=1)].mean(dim=0).cpu()
        clean: np.ndarray = two_component_posterior(losses, seed=self._seed, labels=labels) > self._settings.threshold
        return clean

    def _mean_over(self, batch: Batch, chosen: Tensor) -> Tensor:
        """Return the mean loss of the chosen samples; only they are computed, and without any the loss is zero."""
        if not chosen.any():
            return torch.zeros((), device=chosen.device)
        return cross_entropy(self.network(batch.inputs[chosen]), batch.labels[chosen]).mean()

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores
