"""Robust long-tailed learning by prototypes (Wei et al., arXiv 2108.11569; RoLT)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import soft_cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.memory import RunningMeans
from deft.methods.parts.prototypes import centred, class_means, nearness
from deft.methods.parts.score_pass import score_pass
from deft.selection import two_component_posterior
from deft.training.batches import Batches
from deft.training.loop import Training


@checked
@dataclass(frozen=True, repr=False)
class RoLT(Method):
    """Takes a label as clean if the image is near the class's prototype, and learns the rest from mixed guesses.

    Losses can't tell rare classes from wrong labels; distances to prototypes can. In each epoch: prototypes
    from all labels, one mixture of two Gaussians per class over the distances, prototypes again from the clean
    ones, and the mixtures again. A clean label is the target; a noisy one becomes 0.4·ŷ_erm + 0.2·ŷ_ncm + 0.2·y +
    0.2/K, the guesses being those of the head and of the nearest prototype, from scores averaged over the epochs.
    The order of the steps is that of the authors' code.

    Args:
        start: Share of the epochs in which all labels are believed; the authors wait 80 of 200.
        decay: Share of the old averages that stays.
        shares: Weights of the head's guess, the prototypes' guess, the given label and all classes alike.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=RoLT())  # doctest: +SKIP
    """

    start: float = 0.2
    decay: float = 0.6
    shares: tuple[float, float, float, float] = (0.4, 0.2, 0.2, 0.2)
    citation: ClassVar[str] = (
        "T. Wei, J.-X. Shi, W.-W. Tu, Y.-F. Li: Robust Long-Tailed Learning under Label Noise. arXiv:2108.11569, 2021."
    )

    def __post_init__(self) -> None:
        if not 0 <= self.start <= 1:
            raise SettingsError(f"The start is a share of the epochs in 0..1, not {self.start}.")
        if not 0 <= self.decay < 1:
            raise SettingsError(f"The share of the old averages lies in 0..1, below 1, not {self.decay}.")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise SettingsError(f"The four shares of a target must be positive and sum to 1, not {self.shares}.")

    @classmethod
    def as_published(cls) -> RoLT:
        """Return the authors' settings for CIFAR-100-LT: all labels are believed for 80 of 200 epochs."""
        return cls(start=0.4)

    def build(self, run: TrainingContext) -> Training:
        return _RoLTTraining(run.network(run.seed), self, run)


class _RoLTTraining(Training):
    def __init__(self, network: Classifier, settings: RoLT, run: TrainingContext) -> None:
        super().__init__()
        self.network = network
        rows, classes = len(run.labels), run.classes
        # Only the largest score is asked for, which a correction for the start at zero doesn't change. The authors
        # correct, and write it back, so that it compounds.
        self.erm = RunningMeans(rows, classes, decay=settings.decay, corrected=False)
        self.ncm = RunningMeans(rows, classes, decay=settings.decay, corrected=False)
        self._settings = settings
        self._seed = run.seed
        self._begin = max(1, round(settings.start * run.epochs)) if settings.start else 0

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if not len(train.rows):
            return
        clean = self._look(train)
        for batch in train.epoch(epoch):
            certain = F.one_hot(batch.labels, self.network.classes).float()
            if epoch < self._begin:
                targets = certain
            else:
                guesses = (self.erm.read(batch.index).argmax(dim=1), self.ncm.read(batch.index).argmax(dim=1))
                unsure = mixed_target(*guesses, certain, self._settings.shares)
                targets = torch.where(clean[batch.index].unsqueeze(1), certain, unsure)
            values = soft_cross_entropy(self.network(batch.inputs), targets)
            yield values.sum() / max(len(batch), 1)

    def _look(self, train: Batches) -> Tensor:
        """Return whether each row's label is near its prototype, bool (N,); the averages take in what is seen."""
        rows = torch.from_numpy(train.rows).to(train.device)
        seen = score_pass(self.network, train, self._features_and_scores)[rows]
        features, scores = centred(seen[:, : -self.network.classes]), seen[:, -self.network.classes :]
        labels = torch.from_numpy(train.labels[train.rows]).to(train.device)
        _, chosen = self._judge(features, labels, torch.ones_like(labels, dtype=torch.bool))
        near, chosen = self._judge(features, labels, chosen)
        self.erm.update(rows, scores)
        self.ncm.update(rows, near)
        clean = torch.zeros(len(train.labels), dtype=torch.bool, device=train.device)
        clean[rows] = chosen
        return clean

    def _judge(self, features: Tensor, labels: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the chosen samples' nearness to the prototypes, (n, K), and whether each label's own is high, (n,)."""
        near = nearness(features, class_means(features, labels, chosen, self.network.classes))
        own = near.gather(1, labels[:, None]).squeeze(1)
        # One mixture per class with scikit-learn's own settings, as the authors have it.
        posterior = two_component_posterior(
            -own.cpu(), seed=self._seed, labels=labels.cpu(), max_iter=100, tol=1e-3, reg_covar=1e-6
        )
        return near, torch.from_numpy(posterior > 0.5).to(features.device)

    def _features_and_scores(self, inputs: Tensor, _: Tensor) -> Tensor:
        features = self.network.features(inputs)
        return torch.cat([features.float(), self.network.classify(features).float()], dim=1)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores


def mixed_target(erm: Tensor, ncm: Tensor, given: Tensor, shares: tuple[float, float, float, float]) -> Tensor:
    """Return what is learned in place of a label that is probably wrong: RoLT's mixture of four parts.

    Args:
        erm: Guesses of the head, (B,).
        ncm: Guesses of the nearest prototype, (B,).
        given: One-hot given labels, (B, K).
        shares: Weights of the two guesses, of the given label and of all classes alike.

    Returns:
        Probabilities, (B, K).
    """
    classes = given.shape[1]
    head, prototype, label, every = shares
    guessed = head * F.one_hot(erm, classes) + prototype * F.one_hot(ncm, classes)
    return guessed + label * given + every / classes
