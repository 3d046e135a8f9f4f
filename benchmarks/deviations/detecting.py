"""What detectors do in their authors' code, where ours differs, and what comes out of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.deviations.learning import plain_posterior
from benchmarks.deviations.task import SEEDS, Task
from deft.data.images import LabeledImages
from deft.detectors import clip_cleaner, deft_training
from deft.detectors.area_under_margin import AreaUnderMargin
from deft.detectors.base import Detector, by_content
from deft.detectors.clip_cleaner import CLIPCleaner
from deft.detectors.collector import score_of
from deft.detectors.confident_learning import ConfidentLearning
from deft.detectors.deft import DeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.lemon import LEMoN
from deft.detectors.neighbour_vote import NeighbourVote
from deft.detectors.on_features import Judged, Seen
from deft.detectors.small_loss import SmallLoss
from deft.encoders.base import DualEncoder
from deft.metrics import score_detection
from deft.prompts.templates import ENSEMBLE
from deft.training.batches import Batch
from deft.training.inputs import Inputs
from deft.training.workspace import Workspace
from deft.tuning import VPT, Frozen

Numbers = dict[str, float | list[float]]
Make = Callable[[DualEncoder, int, float], Detector]
CLIPPED = 1e-5
THEIR_TEMPERATURE = 0.07


def compared(ours: Make, theirs: Make, measure: str = "f1") -> Callable[[Task], Numbers]:
    """Return what measures a detector and its authors' form; both are made of the encoder, a seed and the true rate."""

    def measured(task: Task) -> Numbers:
        return {
            name: task.judge(lambda seed, rate, make=make: make(task.encoder, seed, rate), measure)  # type: ignore[misc]
            for name, make in (("ours", ours), ("theirs", theirs))
        }

    return measured


def patched(ours: Make, place: Any, name: str, value: Any, measure: str = "f1") -> Callable[[Task], Numbers]:
    """Return what measures a detector as it is, and with a part of it in its authors' form."""

    def measured(task: Task) -> Numbers:
        plain = task.judge(lambda seed, rate: ours(task.encoder, seed, rate), measure)
        with patch.object(place, name, value):
            changed = task.judge(lambda seed, rate: ours(task.encoder, seed, rate), measure)
        return {"ours": plain, "theirs": changed}

    return measured


def deft(encoder: DualEncoder, seed: int, rate: float) -> DeFT:
    """The paper's detector on a frozen image tower."""
    return DeFT.paper(encoder, tuning=Frozen(), seed=seed)


def warmed(dual: int) -> Make:
    """The same after a warm-up of five epochs, and of L_dp of another length."""

    def make(encoder: DualEncoder, seed: int, rate: float) -> DeFT:
        plain = deft(encoder, seed, rate)
        return replace(plain, recipe=replace(plain.recipe, warmup=5, dual_warmup=dual))

    return make


def last_epoch(task: Task) -> Numbers:
    """The verdicts of the last training epoch beside those of a pass of their own; visual prompts, as in the paper."""
    found: dict[str, list[float]] = {"ours": [], "theirs": [], "changed": []}
    plain = deft_training.DualPromptTraining._loss
    for seed in SEEDS:
        images = by_content(task.noisy(seed), task.space)[0]
        seen = np.zeros(len(images))

        def recorded(
            self: Any, batch: Batch, positive: Tensor, negative: Tensor, *rest: Any, seen: Any = seen
        ) -> Tensor:
            seen[batch.index.numpy()] = score_of(positive - negative, batch.labels).detach().numpy()
            return plain(self, batch, positive, negative, *rest)

        with patch.object(deft_training.DualPromptTraining, "_loss", recorded):
            verdicts = DeFT.paper(task.encoder, tuning=VPT(length=20), seed=seed).detect(images, workspace=task.space)
        found["ours"].append(f1(images, verdicts.is_label_issue))
        found["theirs"].append(f1(images, seen <= 0))
        found["changed"].append(float((verdicts.is_label_issue != (seen <= 0)).mean()))
    return {**found}


def f1(images: LabeledImages, flagged: np.ndarray) -> float:
    """F1 of what is flagged."""
    assert images.clean_labels is not None
    return score_detection(flagged, 1.0 - flagged, images.labels, images.clean_labels, images.labels).f1


def clipped_logarithms(yes: Tensor, no: Tensor) -> Tensor:
    """L_dp of probabilities that are clipped at 1e-5."""
    sure, unsure = yes.sigmoid().clamp(CLIPPED, 1 - CLIPPED), no.sigmoid().clamp(CLIPPED, 1 - CLIPPED)
    return -sure.log() - (1 - unsure).log()


@dataclass(frozen=True, kw_only=True)
class RandomHead(SmallLoss):
    """Small-loss whose head starts at random."""

    def _head(self, images: LabeledImages) -> nn.Linear:
        text = super()._head(images).weight
        drawn = np.random.default_rng(self.seed).normal(0, 0.02, text.shape)
        head = nn.Linear(text.shape[1], text.shape[0], bias=False)
        head.weight = nn.Parameter(torch.from_numpy(drawn.astype(np.float32)))
        return head


@dataclass(frozen=True, kw_only=True)
class WeighedVote(NeighbourVote):
    """The vote of SimiFeat's code: weighed by cosine, the image itself being one of its own neighbours."""

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        votes = torch.zeros(len(seen.unit), seen.classes)
        for some, cosines, places in seen.nearest(self.neighbours - 1):
            votes[some].scatter_add_(1, seen.labels[places], cosines)
            itself = 2 * cosines[:, 0] - cosines[:, 1]  # as far before the nearest as the next is behind it
            votes[some].scatter_add_(1, seen.labels[some][:, None], itself[:, None])
        own = score_of(votes, seen.labels)
        return Judged(own - votes.scatter(1, seen.labels[:, None], -1.0).amax(dim=1), votes, {})


def views_of_neighbours(task: Task) -> Numbers:
    """The vote on features of plain views, and of ones that were cropped and mirrored at random."""
    drawn = dict(zip(task.photos.content_id, task.kept.views[1], strict=True))

    class CroppedVote(NeighbourVote):
        """The vote on the drawn views."""

        def look(self, images: LabeledImages, inputs: Inputs) -> Seen:
            pooled = torch.stack([drawn[images.content_id[row]] for row in inputs.batches.rows])
            with torch.no_grad():
                unit = functional.normalize(self.encoder.project(pooled), dim=-1)
            return replace(super().look(images, inputs), unit=unit)

    return {
        "ours": task.judge(lambda seed, rate: NeighbourVote(task.encoder)),
        "theirs": task.judge(lambda seed, rate: CroppedVote(task.encoder)),
    }


def in_sample(features: np.ndarray, labels: np.ndarray, keys: np.ndarray, **settings: Any) -> np.ndarray:
    """CLIPCleaner's regression, scored on what it learned from: unit features, balanced classes, strength 1."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    fitted = LogisticRegression(class_weight="balanced", max_iter=10_000).fit(unit, labels)
    probabilities: np.ndarray = fitted.predict_proba(unit)
    return probabilities


def their_zero_shot(self: Seen) -> Tensor:
    """Zero-shot probabilities at CLIPCleaner's temperature."""
    return (self.unit @ self.texts.T / THEIR_TEMPERATURE).softmax(dim=1)


def first_of_the_index(self: LEMoN, seen: Seen, fitting: Tensor) -> Tensor:
    """LEMoN's s_m from the first k images of a class in place of all of them."""
    total = torch.empty(len(seen.unit), seen.classes)
    weights = fitting * float(np.exp(self.nearness))
    for one in range(seen.classes):
        members = torch.nonzero(seen.labels == one).squeeze(1)[: self.neighbours]
        apart = 1 - seen.unit @ seen.unit[members].T
        total[:, one] = (apart * weights[members]).mean(dim=1)
    return total


def small_loss(kind: type[SmallLoss], told: float = 1.0) -> Make:
    """Small-loss on a frozen tower, told the true rate or a multiple of it."""
    return lambda encoder, seed, rate: kind(encoder, tuning=Frozen(), noise_rate=told * rate, seed=seed)


def by_rule(**settings: Any) -> Make:
    return lambda encoder, seed, rate: ConfidentLearning(encoder, seed=seed, **settings)


def lemon(encoder: DualEncoder, seed: int, rate: float) -> LEMoN:
    return LEMoN(encoder, seed=seed, noise_rate=rate)


def cleaner(encoder: DualEncoder, seed: int, rate: float) -> CLIPCleaner:
    return CLIPCleaner(encoder, seed=seed)


DETECTING: Mapping[str, Callable[[Task], Numbers]] = {
    "deft-logs": patched(deft, deft_training, "dual_prompt_loss", clipped_logarithms),
    "deft-gradient": compared(
        deft,
        lambda encoder, seed, rate: replace(
            deft(encoder, seed, rate), recipe=replace(deft(encoder, seed, rate).recipe, gradient="both")
        ),
    ),
    "deft-warmup": compared(warmed(1), warmed(5)),
    "deft-verdict": last_epoch,
    "label-match-text": compared(
        lambda encoder, seed, rate: LabelMatch(encoder),
        lambda encoder, seed, rate: LabelMatch(encoder, templates=ENSEMBLE),
    ),
    "small-loss-head": compared(small_loss(SmallLoss), small_loss(RandomHead)),
    "small-loss-rate": compared(small_loss(SmallLoss), small_loss(SmallLoss, 1 / 0.9)),
    "confident-learning-probe": compared(by_rule(), by_rule(strengths=(1.0,))),
    "neighbours-votes": compared(
        lambda encoder, seed, rate: NeighbourVote(encoder), lambda encoder, seed, rate: WeighedVote(encoder)
    ),
    "neighbours-views": views_of_neighbours,
    "aum-epochs": compared(
        lambda encoder, seed, rate: AreaUnderMargin(encoder, seed=seed),
        lambda encoder, seed, rate: AreaUnderMargin(encoder, seed=seed, epochs=150),
    ),
    "clipcleaner-guards": patched(cleaner, clip_cleaner, "two_component_posterior", plain_posterior),
    "clipcleaner-folds": patched(cleaner, clip_cleaner, "probe", in_sample),
    "clipcleaner-temperature": patched(cleaner, Seen, "zero_shot", their_zero_shot),
    "lemon-class": patched(lemon, LEMoN, "_by_text", first_of_the_index, "auroc"),
    "lemon-rate": compared(lemon, lambda encoder, seed, rate: LEMoN(encoder, seed=seed)),
}
