"""Clean with a linear probe, then tune everything (Ahn et al., IJCAI 2024; TURN)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import cross_entropy, generalized_cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.score_pass import score_losses
from deft.selection import class_quota_mask, two_component_posterior
from deft.training.batches import Batches
from deft.training.loop import Training

PROBE_RATES = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}  # of a head alone, by optimizer
DRAW = 41  # tells this draw's generator from the others of an epoch


@checked
@dataclass(frozen=True, repr=False)
class TURN(Method):
    """Trains only the head with GCE, cleans the data by its losses, then tunes everything on balanced classes.

    Noisy labels spoil good features when everything is tuned from the start; a head alone can't spoil them
    (Algorithm 1 of the paper; the authors published no code).
    The quota is the smallest number of clean labels that any class has; since a single poor class would throw away
    the rest, it is kept at a share of the mean number, and a class with fewer gives what it has.

    Args:
        probing: Share of the epochs in which only the head learns.
        probe_rate: The head's constant learning rate in them; None takes 0.1 with SGD and 1e-3 with Adam and AdamW,
            whatever the rate of the tuning, which differs by backbone.
        q: Exponent of GCE.
        threshold: A label is clean if its posterior probability, in its class's mixture, is above it.
        floor: Smallest quota, as a share of the mean number of clean labels of the classes that have any.
        reclean_every: Epochs between two cleanings, once everything is tuned.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=TURN())  # doctest: +SKIP
    """

    probing: float = 0.5
    probe_rate: float | None = None
    q: float = 0.7
    threshold: float = 0.5
    floor: float = 0.5
    reclean_every: int = 1
    citation: ClassVar[str] = (
        "S. Ahn, S. Kim, J. Ko, S.-Y. Yun: Fine-tuning Pre-trained Models for Robustness under Noisy Labels. "
        "IJCAI 2024."
    )

    def __post_init__(self) -> None:
        for name, value in (("probing", self.probing), ("floor", self.floor)):
            if not 0 <= value <= 1:
                raise SettingsError(f"{name} is a share in 0..1, not {value}.")
        if self.probe_rate is not None and not self.probe_rate > 0:
            raise SettingsError(f"The learning rate of the head must be positive, not {self.probe_rate}.")
        if not 0 < self.q <= 1:
            raise SettingsError(f"The exponent q lies between 0 and 1, not {self.q}.")
        if not 0 <= self.threshold < 1:
            raise SettingsError(f"The threshold is a probability in 0..1, below 1, not {self.threshold}.")
        if self.reclean_every < 1:
            raise SettingsError(f"At least 1 epoch lies between two cleanings, not {self.reclean_every}.")

    def build(self, run: TrainingContext) -> Training:
        return _TURNTraining(run.network(run.seed), self, run)


class _TURNTraining(Training):
    clean: Tensor

    def __init__(self, network: Classifier, settings: TURN, run: TrainingContext) -> None:
        super().__init__()
        self.network = network
        self._settings = settings
        self._seed = run.seed
        self._begin = max(1, round(settings.probing * run.epochs)) if settings.probing else 0
        rate = PROBE_RATES[run.optimization.optimizer] if settings.probe_rate is None else settings.probe_rate
        self._probe_scale = rate / run.optimization.learning_rate
        self.register_buffer("clean", torch.zeros(len(run.labels), dtype=torch.bool))

    def rate_scale(self, epoch: int) -> float:
        return self._probe_scale if epoch < self._begin else 1.0

    def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
        # The probe's rate stays; the tuning has the whole schedule to itself.
        return None if epoch < self._begin else (epoch - self._begin, epochs - self._begin)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        return self._probe(train, epoch) if epoch < self._begin else self._tune(train, epoch)

    def _probe(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        """Train only the head; below it not even the statistics of a batch normalisation move."""
        self.network.eval()
        for batch in train.epoch(epoch):
            with torch.no_grad():
                features = self.network.features(batch.inputs)
            scores = self.network.classify(features)
            values = generalized_cross_entropy(scores, batch.labels, q=self._settings.q)
            yield values.sum() / max(len(batch), 1)

    def _tune(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if (epoch - self._begin) % self._settings.reclean_every == 0:
            losses = score_losses(self.network, train).cpu()
            posterior = two_component_posterior(losses, seed=self._seed, labels=train.labels)
            self.clean = torch.from_numpy(posterior > self._settings.threshold)
        for batch in train.subset(self._draw(train, epoch)).epoch(epoch):
            values = cross_entropy(self.network(batch.inputs), batch.labels)
            yield values.sum() / max(len(batch), 1)

    def _draw(self, train: Batches, epoch: int) -> np.ndarray:
        """Return the rows of an epoch: the same number of clean ones of each class, drawn anew."""
        clean = self.clean.cpu().numpy()
        rng = np.random.default_rng([train.seed, epoch, DRAW])
        lots = np.where(clean, rng.random(len(clean)), np.nan)
        quota = balanced_quota(train.labels[clean], floor=self._settings.floor)
        return np.flatnonzero(class_quota_mask(lots, train.labels, quota))

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores


def balanced_quota(labels: np.ndarray, *, floor: float) -> int:
    """Return how many samples to take per class: the size of the smallest class, but at least a share of the mean.

    Args:
        labels: Labels of the clean samples, (n,); a class that isn't there doesn't count.
        floor: The share.
    """
    counts = np.unique(labels, return_counts=True)[1]
    return max(int(counts.min()), math.ceil(floor * counts.mean())) if len(counts) else 0
