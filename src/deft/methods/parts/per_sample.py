"""Training one network on a loss of each sample: the shape of CE, GCE and SCE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from deft.classifiers.base import Classifier
from deft.losses import cross_entropy
from deft.training.batches import Batches
from deft.training.loop import Training

SampleLoss = Callable[[Tensor, Tensor], Tensor]
"""Gives (B,) of class scores (B, K) and labels (B,)."""


class PerSampleTraining(Training):
    """Minimise the mean of a loss over the given labels.

    Args:
        network: The classifier.
        loss: Loss of each sample.
        warmup: Epochs of cross-entropy before it.
    """

    def __init__(self, network: Classifier, loss: SampleLoss, *, warmup: int = 0) -> None:
        super().__init__()
        self.network = network
        self._loss = loss
        self._warmup = warmup

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        loss = cross_entropy if epoch < self._warmup else self._loss
        for batch in train.epoch(epoch):
            values = loss(self.network(batch.inputs), batch.labels)
            yield values.sum() / max(len(batch), 1)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores
