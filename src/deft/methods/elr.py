"""Early-learning regularisation (Liu et al., NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import agreement_penalty, cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.memory import RunningMeans
from deft.training.batches import Batches
from deft.training.loop import Training

PROBABILITY_CLIP = 1e-4


@checked
@dataclass(frozen=True, repr=False)
class ELR(Method):
    """Minimises CE + λ·log(1 − ⟨t, p⟩), t being the sample's own past predictions; Eq. 6 and 9 of the paper.

    After E epochs the targets hold only 1 − β^E of their mass: 0.65 for β = 0.9 and 10 epochs, 0.97 for β = 0.7. The
    correction fills them from the first epoch on, which ties a new head to its first guesses; it is off by default.

    Args:
        beta: Share of the old target that stays.
        weight: The λ of the paper.
        corrected: Whether the targets are corrected for starting at zero; the authors' aren't.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=ELR.as_in_deft())  # doctest: +SKIP
    """

    beta: float = 0.7
    weight: float = 3.0
    corrected: bool = False
    citation: ClassVar[str] = (
        "S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda: Early-Learning Regularization Prevents "
        "Memorization of Noisy Labels. NeurIPS 2020."
    )

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise SettingsError(f"The share β of the old target lies in 0..1, below 1, not {self.beta}.")

    @classmethod
    def as_in_deft(cls) -> ELR:
        """Return DeFT's settings for its baseline: β = 0.3 and λ = 5, without correction."""
        return cls(beta=0.3, weight=5.0)

    @classmethod
    def for_cifar100(cls) -> ELR:
        """Return the authors' settings for CIFAR-100: β = 0.9 and λ = 7."""
        return cls(beta=0.9, weight=7.0)

    def build(self, run: TrainingContext) -> Training:
        targets = RunningMeans(len(run.labels), run.classes, decay=self.beta, corrected=self.corrected)
        return _ELRTraining(run.network(run.seed), targets, self.weight)


class _ELRTraining(Training):
    def __init__(self, network: Classifier, targets: RunningMeans, weight: float) -> None:
        super().__init__()
        self.network = network
        self.targets = targets
        self._weight = weight

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for batch in train.epoch(epoch):
            scores = self.network(batch.inputs).float()
            # In half precision the upper clip would round to one; only these few lines need float32.
            probs = scores.softmax(dim=1).clamp(PROBABILITY_CLIP, 1 - PROBABILITY_CLIP)
            seen = (probs / probs.sum(1, keepdim=True)).detach()
            self.targets.update(batch.index, seen)  # before the loss, as the authors do
            penalty = agreement_penalty(probs, self.targets.read(batch.index))
            values = cross_entropy(scores, batch.labels) + self._weight * penalty
            yield values.sum() / max(len(batch), 1)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores
