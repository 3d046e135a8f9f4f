"""Area under the margin: believe labels that a linear head takes to while it learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.detectors.collector import margin
from deft.detectors.on_features import FeatureDetector, Judged, Seen
from deft.errors import SettingsError
from deft.losses import cross_entropy
from deft.training.batches import Batches
from deft.training.inputs import Reading
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization
from deft.training.workspace import Workspace

CITATION = (
    "G. Pleiss, T. Zhang, E. Elenberg, K. Q. Weinberger: Identifying Mislabeled Data using the Area Under the Margin "
    "Ranking. NeurIPS 2020."
)
RUNS = 2
"""Training runs: what is a threshold sample in one is judged by the other."""


class MarginTraining(Training):
    """Two linear heads of K + 1 classes that learn beside each other, and the margins of all labels as they learn.

    Args:
        pooled: Features of the samples, (n, P), which are standardised.
        labels: What each head is told, (2, N) over the rows of the data set: given labels, and class K for its
            threshold samples.
        classes: Number of classes K.
        seed: Draws the heads.
    """

    citation = CITATION
    labels: Tensor
    sums: Tensor
    counts: Tensor
    center: Tensor
    scale: Tensor

    def __init__(self, pooled: Tensor, labels: Tensor, classes: int, *, seed: int) -> None:
        super().__init__()
        width = pooled.shape[1]
        deviation = pooled.std(dim=0, unbiased=False)
        self.register_buffer("center", pooled.mean(dim=0))
        self.register_buffer("scale", torch.where(deviation > 0, deviation, 1.0) * width**0.5)
        self.register_buffer("labels", labels)
        self.register_buffer("sums", torch.zeros(RUNS, labels.shape[1]))
        self.register_buffer("counts", torch.zeros(RUNS, labels.shape[1]))
        self.heads = nn.ModuleList()
        for run in range(RUNS):
            head = nn.Linear(width, classes + 1)
            weights = np.random.default_rng([seed, run]).normal(0, width**-0.5, (classes + 1, width))
            head.weight = nn.Parameter(torch.from_numpy(weights.astype(np.float32)))
            head.bias = nn.Parameter(torch.zeros(classes + 1))
            self.heads.append(head)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for batch in train.epoch(epoch):
            index = batch.index.to(self.labels.device)
            total = self.center.new_zeros(())
            for run, scores in enumerate(self._scores(batch.inputs)):
                told = self.labels[run, index]
                self.sums[run, index] += margin(scores.detach().float(), told)
                self.counts[run, index] += 1
                total = total + cross_entropy(scores, told).mean()
            yield total

    def predict(self, inputs: Tensor) -> Tensor:
        """Return the mean scores of the two heads, (B, K)."""
        return torch.stack(self._scores(inputs)).mean(dim=0)[:, :-1]

    def areas(self, rows: Tensor, pooled: Tensor) -> Tensor:
        """Return the mean margin of each label over the epochs, (2, n); of samples never drawn the last margin.

        Args:
            rows: Rows of the data set, (n,).
            pooled: Their features, (n, P).
        """
        last = torch.stack([margin(scores, self.labels[run, rows]) for run, scores in enumerate(self._scores(pooled))])
        counts = self.counts[:, rows]
        return torch.where(counts > 0, self.sums[:, rows] / counts.clamp(min=1), last)

    def _scores(self, inputs: Tensor) -> list[Tensor]:
        standard = (inputs - self.center) / self.scale
        return [head(standard) for head in self.heads]


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class AreaUnderMargin(FeatureDetector):
    """The area under the margin (Pleiss et al. 2020) of a linear head on the encoder's pooled features.

    AUM is the mean over the epochs of z_y − max_{k≠y} z_k: wrong labels are learned late and against the others, so
    theirs is small. The border is found with threshold samples, n / (K + 1) images that are told a class of their own:
    what lies below the 99th percentile of their AUM is called wrong. A second head with other threshold samples
    judges those of the first. The image tower stays as it is.

    Args:
        encoder: A vision-language model.
        percentile: Of the threshold samples' AUM, below which a label is called wrong.
        epochs: Epochs of the heads.
        optimization: Learning rate and schedule, the authors' until they let it fall.
        batch_size: Images per step.
        seed: Draws heads, threshold samples and order.

    Raises:
        SettingsError: A setting is out of its bounds.

    Example:
        >>> found = AreaUnderMargin(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "aum"
    citation: ClassVar[str] = CITATION

    percentile: float = 99.0
    epochs: int = 20
    optimization: Optimization = Optimization(learning_rate=0.1, weight_decay=1e-4, schedule="constant")
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.percentile <= 100:
            raise SettingsError(f"A percentile lies in 0 < p ≤ 100, not {self.percentile}.")
        if self.epochs < 1:
            raise SettingsError(f"The heads need at least one epoch, not {self.epochs}.")
        _ = self.reading  # which refuses what is out of its bounds

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.batch_size, self.seed, self.optimization.precision)

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        batches, device = seen.inputs.batches, seen.inputs.batches.device
        rows = torch.from_numpy(batches.rows)
        thresholds = self._threshold_samples(seen)
        told = torch.from_numpy(np.stack([batches.labels] * RUNS))
        told[:, rows] = torch.where(thresholds, seen.classes, told[:, rows])
        method = MarginTraining(seen.pooled, told, seen.classes, seed=self.seed).to(device)
        checkpoint = space.checkpoint(self.settings(), seen.inputs.images, self.encoder)
        fit(
            method,
            batches,
            epochs=self.epochs,
            optimization=self.optimization,
            checkpoint=checkpoint,
            progress=space.progress,
        )
        method = method.cpu().eval()
        with torch.no_grad():
            areas, scores = method.areas(rows, seen.pooled), method.predict(seen.pooled)
        above = torch.stack([area - self._border(area[those]) for area, those in zip(areas, thresholds, strict=True)])
        return Judged(torch.where(thresholds[0], above[1], above[0]), scores, {})

    def _threshold_samples(self, seen: Seen) -> Tensor:
        """Which samples are told a class of their own, bool (2, n): none in both runs, drawn by content."""
        count = min(max(len(seen.labels) // (seen.classes + 1), 1), len(seen.labels) // RUNS)
        draw = np.random.default_rng(self.seed).permutation(len(seen.keys))
        order = np.argsort(seen.keys, kind="stable")[draw]
        chosen = torch.zeros(RUNS, len(order), dtype=torch.bool)
        for run in range(RUNS):
            chosen[run, torch.from_numpy(order[run * count : (run + 1) * count])] = True
        return chosen

    def _border(self, areas: Tensor) -> float:
        return float(np.percentile(areas.numpy(), self.percentile))
