"""Cross-entropy in which every label counts as much as it is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.losses import cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.training.batches import Batches
from deft.training.loop import Training


@dataclass(frozen=True, eq=False, repr=False)
class WeightedCE(Method):
    """Minimises −Σ w·log p_y / Σ w over each batch; w is P(clean) of the label, or any other weight.

    Wrong labels get little weight rather than none, so nothing depends on one threshold and no sample is lost.

    Args:
        weights: Weight of every row of the data set, (N,), not negative; NaN is allowed for rows that can't be read.

    Example:
        >>> deft.adapt("tiny", images, method=WeightedCE(found.p_clean))  # doctest: +SKIP
    """

    weights: np.ndarray
    citation: ClassVar[str] = (
        "P(clean) from T. Wei, H.-T. Li, C.-S. Li, J.-X. Shi, Y.-F. Li, M.-L. Zhang: Vision-Language Models are "
        "Strong Noisy Label Detectors. NeurIPS 2024; used as a weight by deft, not by the paper."
    )

    def __post_init__(self) -> None:
        values = np.asarray(self.weights, np.float32)
        if values.ndim != 1:
            raise SettingsError(f"Weights must be one value per image, not an array of shape {values.shape}.")
        if np.isinf(values).any() or (values < 0).any():
            raise SettingsError("Weights must be numbers of at least zero.")
        object.__setattr__(self, "weights", values)

    def build(self, run: TrainingContext) -> Training:
        if len(self.weights) != len(run.labels):
            raise SettingsError(f"There are {len(self.weights)} weights for {len(run.labels)} images.")
        taking_part = self.weights[run.rows]
        if not (taking_part > 0).any():
            raise SettingsError("No image has a weight above zero, so there is nothing to learn from.")
        if np.isnan(taking_part).any():
            raise SettingsError(f"{int(np.isnan(taking_part).sum())} readable images have no weight (NaN).")
        return _WeightedTraining(run.network(run.seed), torch.from_numpy(np.nan_to_num(self.weights)))

    def settings(self) -> dict[str, object]:
        """Return the method as plain JSON values; the weights by a digest."""
        digest = hashlib.blake2b(self.weights.astype("<f4").tobytes(), digest_size=8).hexdigest()
        return {"type": type(self).__name__, "weights": digest}


class _WeightedTraining(Training):
    weights: Tensor

    def __init__(self, network: Classifier, weights: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", weights)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for batch in train.epoch(epoch):
            weights = self.weights[batch.index.to(self.weights.device)].to(batch.labels.device)
            values = cross_entropy(self.network(batch.inputs), batch.labels)
            # A batch without weight is a zero loss, not a division by zero.
            total = weights.sum()
            yield (weights * values).sum() / torch.where(total > 0, total, torch.ones_like(total))

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores
