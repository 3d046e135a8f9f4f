"""What methods do in their authors' code, where ours differs, and what comes out of either."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from benchmarks.deviations.task import BATCH, EPOCHS, OPTIMIZATION, Task
from deft.classifiers.linear import seeded_linear
from deft.data.images import LabeledImages
from deft.methods import gmm, longremix, rolt, turn, unicon
from deft.methods.base import Method, TrainingContext
from deft.methods.co_teaching import CoTeaching, _SmallLossTraining
from deft.methods.cross_entropy import CE
from deft.methods.elr import ELR
from deft.methods.gce import TruncatedGCE
from deft.methods.gmm import GMM, _MixtureTraining
from deft.methods.longremix import LongReMix, _LongReMixTraining
from deft.methods.parts.memory import RunningMeans
from deft.methods.promix import ProMix, _ProMixTraining
from deft.methods.rolt import RoLT, _RoLTTraining
from deft.methods.sce import SCE
from deft.methods.turn import TURN
from deft.methods.unicon import UNICON
from deft.methods.weighted import WeightedCE
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.loop import Training

Numbers = dict[str, float | list[float]]
HEAVY = 0.6
"""Share of wrong labels where many are left out."""


class WeakLoader(Loader):
    """Gives weak views where plain ones are asked for.

    Args:
        inner: Has both.
        seed: Draws them.
    """

    def __init__(self, inner: Loader, seed: int) -> None:
        self._inner, self._rng = inner, np.random.default_rng(seed)

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return self._inner.load(rows, self._rng, "weak")


class CompoundingMeans(RunningMeans):
    """Running means whose correction for the start at zero is written back, as in RoLT's code."""

    def update(self, index: Tensor, values: Tensor) -> None:
        super().update(index, values)
        mass = 1 - self.decay ** self.updates[index].float()
        self.means[index] = self.means[index] / mass.unsqueeze(1)


@dataclass(frozen=True)
class Changed(Method):
    """A method whose training is changed after it was built.

    Args:
        inner: The method.
        change: Changes its training, which it also returns.
    """

    inner: Method
    change: Callable[[Training], Training]

    def build(self, run: TrainingContext) -> Training:
        return self.change(self.inner.build(run))


def compounding(built: Training) -> Training:
    """RoLT's averages as in its code."""
    assert isinstance(built, _RoLTTraining)
    rows, classes = built.erm.means.shape
    for name in ("erm", "ncm"):
        setattr(built, name, CompoundingMeans(rows, classes, decay=built.erm.decay, corrected=False))
    return built


def scored_on_crops(built: Training) -> Training:
    """GMM's losses from random views, as DeFT's code has them on three data sets."""
    assert isinstance(built, _MixtureTraining)
    plain = built._clean

    def clean(train: Batches) -> np.ndarray:
        views = copy.copy(train)
        views.loader = WeakLoader(train.loader, train.seed)
        return plain(views)

    built._clean = clean  # type: ignore[method-assign]
    return built


def a_step_ahead(built: Training) -> Training:
    """Co-teaching's schedule from its second value on, as its authors' loop has it."""
    assert isinstance(built, _SmallLossTraining)
    plain = built.losses

    def losses(train: Batches, epoch: int) -> Iterator[Tensor]:
        return plain(train, epoch + 1)

    built.losses = losses  # type: ignore[method-assign]
    return built


def divided_again(kept: float) -> Callable[[Training], Training]:
    """Co-teaching's loss, a mean, divided by the number of chosen labels once more."""

    def change(built: Training) -> Training:
        plain = built.losses

        def losses(train: Batches, epoch: int) -> Iterator[Tensor]:
            return (loss / kept for loss in plain(train, epoch))

        built.losses = losses  # type: ignore[method-assign]
        return built

    return change


def one_core_set(built: Training) -> Training:
    """LongReMix with the first network's set for both."""
    assert isinstance(built, _LongReMixTraining)
    plain = built._divide

    def divide(clean: Tensor, number: int, epoch: int) -> tuple[Tensor, Tensor]:
        return plain(clean, 0, epoch) if epoch >= built._second else plain(clean, number, epoch)

    built._divide = divide  # type: ignore[method-assign]
    return built


def right(images: LabeledImages) -> np.ndarray:
    """Rows of right labels: what a perfect detector keeps."""
    assert images.clean_labels is not None
    return np.flatnonzero(images.labels == images.clean_labels)


def by_weight(images: LabeledImages) -> Method:
    """Cross-entropy with the wrong labels in the batches, but without a loss."""
    assert images.clean_labels is not None
    return WeightedCE((images.labels == images.clean_labels).astype(np.float32))


def second_phase(task: Task) -> Numbers:
    kept = right(task.noisy(0, HEAVY))
    steps = -(-len(task.photos) // BATCH), -(-len(kept) // BATCH)
    return {
        "ours": task.learn(CE(), rate=HEAVY, rows=right),
        "theirs": task.learn(by_weight, rate=HEAVY),
        "steps": steps[0] / steps[1],
    }


def pair(ours: Method, theirs: Method, *, told: bool = False) -> Callable[[Task], Numbers]:
    """Return what measures a method and its authors' form."""
    return lambda task: {"ours": task.learn(ours, told=told), "theirs": task.learn(theirs, told=told)}


def plain_posterior(
    losses: npt.ArrayLike,
    *,
    seed: int,
    labels: npt.ArrayLike | None = None,
    max_iter: int = 10,
    tol: float = 1e-2,
    reg_covar: float = 5e-4,
) -> np.ndarray:
    """P(clean) as a plain mixture gives it: scaled by the largest loss, not made to fall with the loss."""
    values = np.asarray(losses, np.float64)
    groups = np.zeros(len(values), np.int64) if labels is None else np.asarray(labels)
    found = np.full(len(values), np.nan)
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & ~np.isnan(values))
        own = values[rows, None]
        if len(np.unique(own)) < 2:
            found[rows] = 1.0
            continue
        mixture = GaussianMixture(2, max_iter=max_iter, tol=tol, reg_covar=reg_covar, random_state=seed)
        scaled = (own - own.min()) / (own.max() - own.min())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found[rows] = mixture.fit(scaled).predict_proba(scaled)[:, mixture.means_.argmin()]
    return found


def patched(ours: Method, place: Any, name: str, value: Any) -> Callable[[Task], Numbers]:
    """Return what measures a method as it is, and with a part of its module in its authors' form."""

    def measured(task: Task) -> Numbers:
        plain = task.learn(ours)
        with patch.object(place, name, value):
            changed = task.learn(ours)
        return {"ours": plain, "theirs": changed}

    return measured


def batch_normalised(width: int, *, seed: int) -> nn.Sequential:
    """UNICON's projection head as in its code."""
    return nn.Sequential(seeded_linear(width, unicon.PROJECTED, seed=seed), nn.BatchNorm1d(unicon.PROJECTED))


def longremix_rate(task: Task) -> Numbers:
    """The second stage's learning rate by a cosine, and falling to a tenth in the middle."""
    tenth = replace(OPTIMIZATION, schedule="steps", milestones=(0.5,))
    return {"ours": task.learn(LongReMix()), "theirs": task.learn(LongReMix(), optimization=tenth)}


def promix_parts(task: Task) -> Numbers:
    """How often a part of a batch is empty."""
    empty = [0, 0]

    def counted(built: Training) -> Training:
        assert isinstance(built, _ProMixTraining)
        plain = built._update_prior

        def update(number: int, part: int, probs: Tensor) -> None:
            empty[0] += not len(probs)
            empty[1] += 1
            plain(number, part, probs)

        built._update_prior = update  # type: ignore[method-assign]
        return built

    task.learn(Changed(ProMix(), counted))
    return {"empty": float(empty[0]), "parts": float(empty[1])}


LEARNING: Mapping[str, Callable[[Task], Numbers]] = {
    "ce-drop": second_phase,
    "truncated-gce-every": pair(TruncatedGCE(), TruncatedGCE(every=EPOCHS)),
    "sce-zero": pair(SCE(), SCE(beta=4 / 9.21034)),
    "elr-corrected": pair(ELR(), ELR(corrected=True)),
    "elr-deft": pair(ELR(), ELR.as_in_deft()),
    "gmm-guards": patched(GMM(), gmm, "two_component_posterior", plain_posterior),
    "gmm-views": pair(GMM(), Changed(GMM(), scored_on_crops)),
    "co-teaching-start": pair(CoTeaching(warmup=5), Changed(CoTeaching(warmup=5), a_step_ahead), told=True),
    "co-teaching-mean": pair(CoTeaching(), Changed(CoTeaching(), divided_again(0.6 * BATCH)), told=True),
    "rolt-guards": patched(RoLT(), rolt, "two_component_posterior", plain_posterior),
    "rolt-start": pair(RoLT(), RoLT.as_published()),
    "rolt-means": pair(RoLT(), Changed(RoLT(), compounding)),
    "unicon-norm": patched(UNICON(), unicon, "_projection", batch_normalised),
    "unicon-unit": pair(UNICON(), UNICON(unit="nats")),
    "longremix-core": pair(LongReMix(), Changed(LongReMix(), one_core_set)),
    "longremix-guards": patched(LongReMix(), longremix, "two_component_posterior", plain_posterior),
    "longremix-rate": longremix_rate,
    "longremix-stages": pair(LongReMix(), LongReMix(first_stage=0.5)),
    "promix-parts": promix_parts,
    "promix-decay": pair(ProMix(), ProMix(decay=0.9999)),
    "turn-guards": patched(TURN(), turn, "two_component_posterior", plain_posterior),
    "turn-floor": pair(TURN(), TURN(floor=0.0)),
    "turn-reclean": pair(TURN(), TURN(reclean_every=EPOCHS)),
}
