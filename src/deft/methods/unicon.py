"""Uniform selection and contrastive learning (Karim et al., CVPR 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.classifiers.linear import seeded_linear
from deft.errors import SettingsError
from deft.losses import jensen_shannon, nt_xent
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.mixmatch import guess, mixmatch_loss, refine
from deft.methods.parts.ramps import linear_ramp
from deft.methods.parts.score_pass import score_pass
from deft.methods.parts.two_networks import TwoNetworks, paired, plain_epoch
from deft.selection import class_quota_mask
from deft.training.batches import Batches, View
from deft.training.loop import Training

PROJECTED = 128  # width of the vectors that are contrasted
CERTAIN = 0.5  # divergence below which a label is believed as it is
LARGEST_BATCH = 4  # of unlabelled samples, in batches of labelled ones


@checked
@dataclass(frozen=True, repr=False)
class UNICON(Method):
    """Believes the same number of labels in every class, guesses the others, and contrasts their strong views.

    A label's divergence is d = ½·KL(y‖m) + ½·KL(p̄‖m), m = (y + p̄)/2, from the mean prediction p̄ of two networks.
    The share R of samples with d below a cut-off sets the quota R·N/K of every class; the cut-off is the mean of d,
    lowered by (mean − min)/τ where the mean is at least d_μ. Each network then minimises
    L_x + λ_u·L_u + L_pen + λ_c·L_c on mixtures of strong views, their targets guessed from weak ones.

    Args:
        warmup: Epochs of cross-entropy first.
        batch: Number B of labelled samples per step, at most the run's batch size. A step computes gradients for about
            six times as many images, and an epoch has only R·N/B steps.
        unlabelled: Unlabelled samples beside the B labelled ones of a step: "share" takes B/(2R), as the authors do
            on CIFAR, "batch" takes B, as they do on Tiny-ImageNet, WebVision and Clothing1M. 1 to 4 B in any case.
        guesses: λ_u, the weight of the loss on unlabelled samples; 0 computes only mixtures that are mostly labelled,
            as the authors do on photos from the web.
        ramp: Epochs over which λ_u grows.
        contrast: λ_c, the weight of the contrastive loss.
        alpha: Parameter of the mixup.
        temperature: Temperature of the sharpening.
        contrast_temperature: Temperature of the contrastive loss.
        unit: Unit of the divergence. The paper gives its range as 0..1, which is bits, and so does the default; the
            released code takes nats, whose mean never reaches d_μ = 0.7, so that its cut-off is always the mean. All
            presets take bits, as the paper intends.
        ceiling: d_μ, the mean divergence from which the cut-off is lowered.
        strictness: τ, which divides how far the cut-off is lowered.
        confidence_penalty: Weight of the negative entropy in the warm-up, against asymmetric noise.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=UNICON.for_cifar10())  # doctest: +SKIP
    """

    warmup: int = 1
    batch: int = 32
    unlabelled: Literal["share", "batch"] = "share"
    guesses: float = 30.0
    ramp: float = 1.0
    contrast: float = 0.025
    alpha: float = 4.0
    temperature: float = 0.5
    contrast_temperature: float = 0.05
    unit: Literal["bits", "nats"] = "bits"
    ceiling: float = 0.7
    strictness: float = 5.0
    confidence_penalty: float = 0.0
    views: ClassVar[tuple[View, ...]] = ("weak", "weak", "strong", "strong")
    citation: ClassVar[str] = (
        "N. Karim, M. N. Rizve, N. Rahnavard, A. Mian, M. Shah: UNICON: Combating Label Noise Through Uniform "
        "Selection and Contrastive Learning. CVPR 2022."
    )

    def __post_init__(self) -> None:
        if self.unit not in ("bits", "nats"):
            raise SettingsError(f"A divergence is measured in bits or nats, not {self.unit!r}.")
        if self.unlabelled not in ("share", "batch"):
            raise SettingsError(f"Unlabelled samples go by 'share' or by 'batch', not {self.unlabelled!r}.")
        if self.batch < 1:
            raise SettingsError(f"A step has at least one labelled sample, not {self.batch}.")
        if self.warmup < 0 or self.guesses < 0 or self.contrast < 0:
            raise SettingsError("Warm-up and weights of losses can't be negative.")
        if not (self.temperature > 0 and self.contrast_temperature > 0 and self.strictness > 0):
            raise SettingsError("Temperatures and the strictness τ must be positive.")

    @classmethod
    def for_cifar10(cls) -> UNICON:
        """Return the authors' settings for CIFAR-10, made for 350 epochs."""
        return cls(warmup=10, batch=64, ramp=16)

    @classmethod
    def for_cifar100(cls) -> UNICON:
        """Return the authors' settings for CIFAR-100, made for 350 epochs."""
        return cls(warmup=30, batch=64, ramp=16)

    @classmethod
    def for_tiny_imagenet(cls) -> UNICON:
        """Return the authors' settings for Tiny-ImageNet, made for 500 epochs."""
        return cls(warmup=15, batch=64, unlabelled="batch", guesses=50.0, alpha=0.5, ramp=16)

    @classmethod
    def for_webvision(cls) -> UNICON:
        """Return the authors' settings for WebVision, made for 120 epochs; without their restarts."""
        return cls(warmup=2, batch=24, unlabelled="batch", guesses=0.0, alpha=0.5)

    @classmethod
    def for_clothing1m(cls) -> UNICON:
        """Return the authors' settings for Clothing1M; its warm-up of 0 wants a head that starts from text."""
        return cls(warmup=0, batch=32, unlabelled="batch", guesses=0.0, alpha=0.5)

    def build(self, run: TrainingContext) -> Training:
        return _UNICONTraining(run, self)


class _UNICONTraining(Training):
    def __init__(self, run: TrainingContext, settings: UNICON) -> None:
        super().__init__()
        self.networks = TwoNetworks(run)
        self.projections = nn.ModuleList(
            _projection(network.width, seed=run.seed + number).to(run.device)
            for number, network in enumerate(self.networks.both)
        )
        self._settings = settings
        self._classes = run.classes

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for number, network in enumerate(self.networks.both):
            chosen = None if epoch < self._settings.warmup else self._divide(train)
            if chosen is None:
                penalty = self._settings.confidence_penalty if epoch < self._settings.warmup else 0.0
                yield from plain_epoch(network, train, epoch, number=number, confidence_penalty=penalty)
            else:
                yield from self._train(train, epoch, number, *chosen)

    def _divide(self, train: Batches) -> tuple[np.ndarray, Tensor] | None:
        """Return the rows to believe, and how far each is believed, (N,); None if there are none."""
        agreement = score_pass(self.networks, train, self.networks.agreement)
        divergence = jensen_shannon(agreement, unit=self._settings.unit)
        believed = uniform_choice(
            divergence.cpu().numpy(),
            train.labels,
            classes=self._classes,
            ceiling=self._settings.ceiling,
            strictness=self._settings.strictness,
        )
        rows = train.rows[believed[train.rows]]
        weights = 1 - divergence.masked_fill(divergence < CERTAIN, 0.0)
        return (rows, weights) if len(rows) else None

    def _train(self, train: Batches, epoch: int, number: int, rows: np.ndarray, weights: Tensor) -> Iterator[Tensor]:
        settings, network = self._settings, self.networks.both[number]
        batch = min(settings.batch, train.batch_size)
        labelled = train.subset(rows, stream=21 + number, batch_size=batch)
        size = unlabelled_batch(batch, len(rows) / len(train.rows), settings.unlabelled)
        rest = np.setdiff1d(train.rows, rows)
        unlabelled = train.subset(rest, stream=31 + number, batch_size=size)
        rng = np.random.default_rng([train.seed, epoch, 41 + number])
        steps = len(labelled)
        for step, (known, unknown) in enumerate(paired(labelled, unlabelled, epoch, steps=steps, views=UNICON.views)):
            ramp = linear_ramp(epoch + step / steps, start=settings.warmup, length=settings.ramp)
            yield mixmatch_loss(
                network,
                refine(network, known, weights, classes=self._classes, temperature=settings.temperature),
                guess(self.networks, unknown, temperature=settings.temperature),
                alpha=settings.alpha,
                weight=settings.guesses * ramp,
                rng=rng,
            ) + self._contrast(number, () if unknown is None else unknown.views[-2:])

    def _contrast(self, number: int, views: tuple[Tensor, ...]) -> Tensor | float:
        """Return λ_c·L_c of two strong views of unlabelled samples; zero if there are none."""
        if not views or not self._settings.contrast:
            return 0.0
        features = self.networks.both[number].features(torch.cat(views))
        first, second = self.projections[number](features).chunk(2)
        values = nt_xent(first, second, temperature=self._settings.contrast_temperature)
        return self._settings.contrast * values.sum() / max(len(values), 1)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.networks(inputs)
        return scores


def cutoff(divergence: np.ndarray, *, ceiling: float = 0.7, strictness: float = 5.0) -> float:
    """Return the divergence below which a label counts as probably right.

    Args:
        divergence: (n,), without NaN.
        ceiling: d_μ, the mean from which the cut-off is lowered.
        strictness: τ, by how little.
    """
    mean = float(divergence.mean())
    return mean - (mean - float(divergence.min())) / strictness if mean >= ceiling else mean


def uniform_choice(
    divergence: np.ndarray, labels: np.ndarray, *, classes: int, ceiling: float = 0.7, strictness: float = 5.0
) -> np.ndarray:
    """Choose the same number of samples in every class, as many in all as lie below the cut-off.

    Args:
        divergence: (N,); NaN in rows that don't take part.
        labels: (N,).
        classes: K.
        ceiling: d_μ of the cut-off.
        strictness: τ of the cut-off.

    Returns:
        bool, (N,); nothing is chosen if the divergences don't differ.
    """
    known = divergence[~np.isnan(divergence)]
    if not len(known):
        return np.zeros(len(divergence), dtype=np.bool_)
    below = int((known < cutoff(known, ceiling=ceiling, strictness=strictness)).sum())
    return class_quota_mask(divergence, labels, below // classes)


def unlabelled_batch(batch_size: int, share: float, unlabelled: Literal["share", "batch"]) -> int:
    """Return how many unlabelled samples go with a batch of B labelled ones: B/(2R) or B, but always 1 to 4 B.

    The authors set no bound, so that a small share R fills the memory.

    Args:
        batch_size: B.
        share: R, of the samples that are labelled, above 0.
        unlabelled: By "share" or "batch".
    """
    wanted = int(batch_size / (2 * share)) if unlabelled == "share" else batch_size
    return min(max(wanted, 1), LARGEST_BATCH * batch_size)


def _projection(width: int, *, seed: int) -> nn.Sequential:
    return nn.Sequential(seeded_linear(width, PROJECTED, seed=seed), nn.LayerNorm(PROJECTED))
