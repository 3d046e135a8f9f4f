"""Small-loss: believe the labels that a network finds easiest to learn (Co-teaching's criterion)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.data.images import LabeledImages
from deft.detectors.base import Detector
from deft.detectors.collector import Collector
from deft.errors import SettingsError
from deft.losses import cross_entropy, masked_mean
from deft.prompts.templates import class_features
from deft.runs.detection import Detection, Verdicts
from deft.runs.provenance import Stopwatch
from deft.selection import border, estimate_noise_rate, forget_rate, small_loss_mask
from deft.settings import check_noise_rate
from deft.stages import of_training
from deft.training.batches import Batches
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.loop import Training, fit
from deft.training.once import once
from deft.training.optimization import Optimization
from deft.training.precision import autocast, resolve_precision
from deft.training.workspace import Workspace
from deft.tuning import VPT, Attachment, Tuning, tuning_of
from deft.tuning.parts import frozen_part, trained_part

CITATION = (
    "B. Han, Q. Yao, X. Yu, G. Niu, M. Xu, W. Hu, I. Tsang, M. Sugiyama: Co-teaching: Robust Training of "
    "Deep Neural Networks with Extremely Noisy Labels. NeurIPS 2018."
)


class SmallLossTraining(Training):
    """Cross-entropy on the share of each batch with the smallest losses (Han et al., NeurIPS 2018, Algorithm 1).

    One network, as in DeFT's Table 1. The share left out rises linearly from 0 to the noise rate over the warm-up.

    Args:
        encode: Gives unit features (B, D) of a batch's inputs.
        head: Linear classifier on the features, started from the class names' text features.
        attachment: The tuning's trainable weights.
        noise_rate: Share of wrong labels.
        warmup: Epochs over which the share left out rises.
        trusted: Mask of labels that a person has confirmed, bool (N,) over the rows of the data set: never left out.
    """

    citation = CITATION

    def __init__(
        self,
        encode: Callable[[Tensor], Tensor],
        head: nn.Linear,
        attachment: Attachment,
        *,
        noise_rate: float,
        warmup: int,
        trusted: np.ndarray,
    ) -> None:
        super().__init__()
        self.head = head
        self.attachment = attachment
        self.encode = encode
        self._noise_rate = noise_rate
        self._warmup = warmup
        self._trusted = torch.from_numpy(trusted)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        left_out = forget_rate(self._noise_rate, epoch, self._warmup)
        for batch in train.epoch(epoch):
            losses = cross_entropy(self.predict(batch.inputs), batch.labels)
            keep = max(int((1 - left_out) * len(batch)), 1)
            chosen = torch.zeros_like(losses, dtype=torch.bool)
            sure = self._trusted[batch.index.cpu()].to(losses.device)
            chosen[losses.detach().masked_fill(sure, -torch.inf).argsort()[:keep]] = True
            yield masked_mean(losses, chosen | sure)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.head(self.encode(inputs))
        return scores


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class SmallLoss(Detector):
    """Ranks labels by their loss after training on the small ones, and keeps the best 1 − r (DeFT's Table 1 baseline).

    Args:
        encoder: A vision-language model.
        tuning: How the image tower adapts.
        noise_rate: Share r of wrong labels, which this method has to be told; None estimates it after training by
            a two-component mixture over the losses (and trains without leaving anything out).
        epochs: Number of epochs.
        warmup: Epochs over which the share left out rises to r.
        optimization: Learning rate, schedule and number format.
        batch_size: Images per step.
        seed: Draws order and augmentation.
        views: Views kept per image where an encoder's stem is heavy (see `Reading`).

    Example:
        >>> found = SmallLoss(load_encoder("tiny"), noise_rate=0.2).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "small-loss"
    citation: ClassVar[str] = CITATION

    tuning: Tuning = VPT(length=20)
    noise_rate: float | None = None
    epochs: int = 10
    warmup: int = 1
    optimization: Optimization = Optimization()
    batch_size: int = 64
    seed: int = 0
    views: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "tuning", tuning_of(self.tuning))
        check_noise_rate(self.noise_rate)
        if self.epochs < 1:
            raise SettingsError(f"Small-loss needs at least one epoch, not {self.epochs}.")
        if self.warmup < 0:
            raise SettingsError(f"A warm-up can't last {self.warmup} epochs.")
        _ = self.reading  # which refuses what is out of its bounds

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.batch_size, self.seed, self.optimization.precision, self.views)

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        space.progress.expect(of_training(self.epochs, changes_images=self.tuning.changes_images))
        head = self._head(images)
        checkpoint = space.checkpoint(self.settings(), images, self.encoder)
        with (
            open_inputs(frozen_part(self.encoder, self.tuning), images, space, self.reading) as inputs,
            self.tuning.attach(self.encoder, seed=self.seed) as attachment,
        ):
            rate = self.noise_rate or 0.0
            method = SmallLossTraining(
                inputs.batches.processes.sharing(trained_part(self.encoder, self.tuning)),
                head,
                attachment,
                noise_rate=rate,
                warmup=self.warmup,
                trusted=inputs.trusted,
            )
            fit(
                method,
                inputs.batches,
                epochs=self.epochs,
                optimization=self.optimization,
                checkpoint=checkpoint,
                progress=space.progress,
            )
            verdicts, used = self._score(method, inputs, len(images))
        return self._judged(inputs, verdicts, watch, self.reading, {"noise_rate_used": used})

    def _head(self, images: LabeledImages) -> nn.Linear:
        with torch.no_grad():
            texts = class_features(self.encoder, images.words) * self.encoder.logit_scale
        head = nn.Linear(texts.shape[1], texts.shape[0], bias=False, device=texts.device)
        head.weight = nn.Parameter(texts.clone())
        return head

    def _score(self, method: SmallLossTraining, inputs: Inputs, rows: int) -> tuple[Verdicts, float]:
        """Rank all losses in a final pass; the border between kept and left out becomes p_clean = ½."""
        device = inputs.batches.device
        collector = Collector(rows, method.head.out_features)
        with torch.no_grad(), autocast(resolve_precision(self.reading.precision, device), device):
            for batch in inputs.batches.ordered():
                features = method.encode(batch.inputs)
                scores = method.head(features)
                collector.add(batch, -cross_entropy(scores, batch.labels), scores)
                collector.keep(batch, features, scores)
        losses = -collector.log_odds[inputs.batches.rows]
        rate = self.noise_rate
        if rate is None:
            once_each = once(inputs.groups[inputs.batches.rows], np.arange(len(losses)))
            rate = estimate_noise_rate(losses[once_each], seed=self.seed)
        kept = small_loss_mask(losses, 1 - rate)
        return collector.verdicts(shift=border(losses, kept)), rate
