"""Consecutively clean samples, then a long second training (Cordeiro et al., Pattern Recognition 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from deft.arguments import checked
from deft.errors import SettingsError
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.mixmatch import guess, mixmatch_loss, refine
from deft.methods.parts.ramps import linear_ramp
from deft.methods.parts.score_pass import score_losses
from deft.methods.parts.two_networks import TwoNetworks, paired, plain_epoch
from deft.selection import two_component_posterior
from deft.training.batches import Batches, View
from deft.training.loop import Training


@checked
@dataclass(frozen=True, repr=False)
class LongReMix(Method):
    """Finds samples that are clean in several consecutive epochs, starts again, and keeps their labels throughout.

    Both stages train two networks as DivideMix does: a mixture of two Gaussians over one network's losses tells which
    labels the other may believe, and MixMatch does the rest. In stage 1 a sample is labelled if it was clean in the
    last K epochs. The largest such set from the end of the stage is kept, both networks start again, and in stage 2
    its members are always labelled; an epoch of it has as many steps as all samples fill, however few are labelled.

    Args:
        warmup: Epochs of cross-entropy at the start of each stage.
        consecutive: The number K of consecutive epochs; fewer while there have been fewer.
        first_stage: Share of the epochs that stage 1 takes.
        window: Share of stage 1, at its end, from which the set is taken.
        clean_above: Probability of being clean above which a sample is labelled.
        guesses: λ_u, the weight of the loss on unlabelled samples; 0 computes only mixtures that are mostly labelled.
        ramp: Epochs over which λ_u grows.
        alpha: Parameter of the mixup.
        temperature: Temperature of the sharpening.
        confidence_penalty: Weight of the negative entropy in the warm-up, against asymmetric noise.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=LongReMix.for_webvision())  # doctest: +SKIP
    """

    warmup: int = 1
    consecutive: int = 2
    first_stage: float = 0.4
    window: float = 0.5
    clean_above: float = 0.5
    guesses: float = 25.0
    ramp: float = 1.0
    alpha: float = 4.0
    temperature: float = 0.5
    confidence_penalty: float = 0.0
    views: ClassVar[tuple[View, ...]] = ("weak", "weak")
    citation: ClassVar[str] = (
        "F. R. Cordeiro, R. Sachdeva, V. Belagiannis, I. Reid, G. Carneiro: LongReMix: Robust Learning with High "
        "Confidence Samples in a Noisy Label Environment. Pattern Recognition 133, 2023."
    )

    def __post_init__(self) -> None:
        if self.warmup < 1:
            raise SettingsError(f"LongReMix warms up for at least one epoch, not {self.warmup}.")
        if not 1 <= self.consecutive <= 255:
            raise SettingsError(f"The epochs in a row are 1 to 255, not {self.consecutive}.")
        if not (0 < self.first_stage < 1 and 0 < self.window <= 1 and 0 < self.clean_above < 1):
            raise SettingsError("Shares of the epochs and the border of the probability lie between 0 and 1.")
        if self.guesses < 0 or not self.temperature > 0:
            raise SettingsError("The weight λ_u can't be negative, and the temperature must be positive.")

    @classmethod
    @checked
    def for_cifar10(cls, guesses: float = 25.0) -> LongReMix:
        """Return the authors' settings for CIFAR-10, two stages of 300 epochs; they choose λ_u by the noise.

        Args:
            guesses: λ_u, as in the class.
        """
        return cls(warmup=10, consecutive=5, first_stage=0.5, guesses=guesses, ramp=16)

    @classmethod
    @checked
    def for_cifar100(cls, guesses: float = 25.0) -> LongReMix:
        """Return the authors' settings for CIFAR-100, two stages of 300 epochs; they choose λ_u by the noise.

        Args:
            guesses: λ_u, as in the class.
        """
        return cls(warmup=30, consecutive=5, first_stage=0.5, guesses=guesses, ramp=16)

    @classmethod
    def for_webvision(cls) -> LongReMix:
        """Return DivideMix's settings for WebVision, as the authors published none of their own."""
        return cls(guesses=0.0, alpha=0.5, consecutive=5, first_stage=0.5)

    @classmethod
    def for_clothing1m(cls) -> LongReMix:
        """Return DivideMix's settings for Clothing1M, as the authors published none of their own."""
        return cls(guesses=0.0, alpha=0.5, consecutive=5, first_stage=0.5, confidence_penalty=1.0)

    def build(self, run: TrainingContext) -> Training:
        if run.epochs < 2:
            raise SettingsError(f"LongReMix needs 2 epochs, one for each of its stages, not {run.epochs}.")
        return _LongReMixTraining(run, self)


class _LongReMixTraining(Training):
    streak: Tensor
    core: Tensor

    def __init__(self, run: TrainingContext, settings: LongReMix) -> None:
        super().__init__()
        self.networks = TwoNetworks(run)
        self._settings = settings
        self._classes = run.classes
        self._second = min(max(round(settings.first_stage * run.epochs), 1), run.epochs - 1)
        shape, place = (2, len(run.labels)), run.device
        self.register_buffer("streak", torch.zeros(shape, dtype=torch.uint8, device=place))
        self.register_buffer("core", torch.zeros(shape, dtype=torch.bool, device=place))

    def starts_afresh(self, epoch: int) -> bool:
        return epoch == self._second

    def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
        # As the authors have it: the rate stays in stage 1, and stage 2 has a whole schedule.
        return None if epoch < self._second else (epoch - self._second, epochs - self._second)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        clean = None
        # The set is also looked for in epochs of warm-up, and once more in the networks that stage 1 ends with.
        if 1 <= epoch <= self._second:
            clean = self._judge(train)
            self._count(clean, epoch)
        if epoch == self._second:
            self.networks.restart()
        if self._since(epoch) < self._settings.warmup:
            for number, network in enumerate(self.networks.both):
                penalty = self._settings.confidence_penalty
                yield from plain_epoch(network, train, epoch, number=number, confidence_penalty=penalty)
            return
        if clean is None:
            clean = self._judge(train)
        for number in (0, 1):
            # Each network trains on what the other one believes (co-divide).
            yield from self._train(train, epoch, number, *self._divide(clean[1 - number], 1 - number, epoch))

    def _since(self, epoch: int) -> int:
        """Return how many epochs of the present stage are done."""
        return epoch - self._second if epoch >= self._second else epoch

    def _judge(self, train: Batches) -> list[Tensor]:
        """Return P(clean) by the losses of each network, (N,); NaN in rows that don't take part."""
        found = []
        for network in self.networks.both:
            losses = score_losses(network, train)
            posterior = two_component_posterior(losses.cpu().numpy(), seed=train.seed)
            found.append(torch.from_numpy(posterior).float().to(train.device))
        return found

    def _count(self, clean: list[Tensor], epoch: int) -> None:
        """Count on the epochs in a row; `epoch` is also the number of judgements so far."""
        settings = self._settings
        candidate = epoch > self._second - math.ceil(settings.window * self._second)
        # A set that had to stand fewer epochs is larger for that alone.
        candidate = candidate and epoch >= min(settings.consecutive, self._second)
        for number, posterior in enumerate(clean):
            streak = consecutive(self.streak[number], posterior > settings.clean_above)
            self.streak[number] = streak
            found = self._stood(number, epoch)
            if candidate and found.sum() > self.core[number].sum():
                self.core[number] = found

    def _stood(self, number: int, epoch: int) -> Tensor:
        """Return which rows a network called clean in each of its last K judgements, (N,)."""
        found: Tensor = self.streak[number] >= min(self._settings.consecutive, epoch)
        return found

    def _divide(self, clean: Tensor, number: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Return which rows are labelled, (N,), and how far each label is believed, (N,)."""
        if epoch < self._second:
            return self._stood(number, epoch), clean
        weights = clean.masked_fill(self.core[number], 1.0)
        return weights > self._settings.clean_above, weights

    def _train(self, train: Batches, epoch: int, number: int, chosen: Tensor, weights: Tensor) -> Iterator[Tensor]:
        settings, network = self._settings, self.networks.both[number]
        believed = chosen.cpu().numpy()[train.rows]
        if not believed.any():
            yield from plain_epoch(network, train, epoch, number=number)
            return
        labelled = train.subset(train.rows[believed], stream=21 + number)
        unlabelled = train.subset(train.rows[~believed], stream=31 + number)
        rng = np.random.default_rng([train.seed, epoch, 41 + number])
        steps = len(labelled) if epoch < self._second else len(train)
        for step, (known, unknown) in enumerate(
            paired(labelled, unlabelled, epoch, steps=steps, views=LongReMix.views)
        ):
            now = self._since(epoch) + step / steps
            yield mixmatch_loss(
                network,
                refine(network, known, weights, classes=self._classes, temperature=settings.temperature),
                guess(self.networks, unknown, temperature=settings.temperature),
                alpha=settings.alpha,
                weight=settings.guesses * linear_ramp(now, start=settings.warmup, length=settings.ramp),
                rng=rng,
            )

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.networks(inputs)
        return scores


def consecutive(streak: Tensor, clean: Tensor) -> Tensor:
    """Return for how many epochs in a row each row was clean, after one more epoch; no more than 255 are counted.

    Args:
        streak: Up to now, uint8, (N,).
        clean: Which samples are clean in this epoch, bool (N,).
    """
    return torch.where(clean, streak.clamp(max=254) + 1, torch.zeros_like(streak))
