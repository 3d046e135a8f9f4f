"""Generalised cross-entropy (Zhang & Sabuncu, NeurIPS 2018), plain and truncated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import cross_entropy, generalized_cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.per_sample import PerSampleTraining
from deft.methods.parts.score_pass import score_pass
from deft.training.batches import Batches
from deft.training.loop import Training

CITATION = (
    "Z. Zhang, M. R. Sabuncu: Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy "
    "Labels. NeurIPS 2018."
)


@checked
@dataclass(frozen=True, repr=False)
class GCE(Method):
    """Minimises (1 − p_y^q)/q, between cross-entropy (q → 0) and absolute error (q = 1); Eq. 6 of the paper.

    With a random head over many classes p_y is small at the start, and so is its gradient: p_y^q times that of
    cross-entropy. A head that starts from text needs no warm-up. It is computed as exp(q·log p), whose gradient stays
    finite at any p.

    Args:
        q: The exponent; all published code takes 0.7.
        warmup: Epochs of cross-entropy before it.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=GCE(q=0.7))  # doctest: +SKIP
    """

    q: float = 0.7
    warmup: int = 0
    citation: ClassVar[str] = CITATION

    def __post_init__(self) -> None:
        _check_exponent(self.q)

    def build(self, run: TrainingContext) -> Training:
        loss = partial(generalized_cross_entropy, q=self.q)
        return PerSampleTraining(run.network(run.seed), loss, warmup=self.warmup)


@checked
@dataclass(frozen=True, repr=False)
class TruncatedGCE(Method):
    """Minimises GCE, leaving out samples whose loss is above a threshold; Eq. 9 and Algorithm 1 of the paper.

    The current network chooses, so no clean data is needed.

    Args:
        q: The exponent.
        k: Probability p_y below which a sample is left out.
        start: Share of the epochs after which samples are left out; the authors wait 40 of 120 epochs.
        every: Epochs between two choices.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=TruncatedGCE(k=0.5))  # doctest: +SKIP
    """

    q: float = 0.7
    k: float = 0.5
    start: float = 1 / 3
    every: int = 1
    citation: ClassVar[str] = CITATION

    def __post_init__(self) -> None:
        _check_exponent(self.q)
        if not 0 < self.k < 1:
            raise SettingsError(f"The border k is a probability between 0 and 1, not {self.k}.")

    def build(self, run: TrainingContext) -> Training:
        begin = max(1, round(self.start * run.epochs))
        return _TruncatedTraining(run.network(run.seed), self, begin, len(run.labels))


class _TruncatedTraining(Training):
    kept: Tensor

    def __init__(self, network: Classifier, settings: TruncatedGCE, begin: int, count: int) -> None:
        super().__init__()
        self.network = network
        self._settings = settings
        self._begin = begin
        self.register_buffer("kept", torch.ones(count, dtype=torch.bool))

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        since = epoch - self._begin
        if since >= 0 and since % self._settings.every == 0:
            labelled = score_pass(self.network, train, self._probability)
            self.kept = (labelled > self._settings.k).cpu()
        kept = self.kept.to(train.device)
        for batch in train.epoch(epoch):
            values = generalized_cross_entropy(self.network(batch.inputs), batch.labels, q=self._settings.q)
            # Averaged over the batch, as the authors do. The constant L_q(k) of those left out has no gradient, so
            # it is not added.
            yield (values * kept[batch.index]).sum() / max(len(batch), 1)

    def _probability(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return (-cross_entropy(self.network(inputs), labels)).exp()

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores


def _check_exponent(q: float) -> None:
    if not 0 < q <= 1:
        raise SettingsError(f"The exponent q lies between 0 (cross-entropy) and 1 (absolute error), not {q}.")
