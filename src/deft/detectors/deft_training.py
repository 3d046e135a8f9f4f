"""DeFT's first phase: dual prompts and a tuned tower learn which labels to believe (B batch, K classes, D width)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.detectors.collector import margin, score_of
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.losses import (
    clean_probability_logit,
    cross_entropy,
    dual_prompt_loss,
    generalized_cross_entropy,
    masked_mean,
    symmetric_cross_entropy,
)
from deft.one_thread import products
from deft.prompts.learned import DualPrompts
from deft.shown import short_repr
from deft.training.ahead import sent
from deft.training.batches import Batch, Batches
from deft.training.loop import Training
from deft.tuning import Attachment
from deft.tuning.parts import Features

CE_SHARE = 0.02
MOST_GROUPS = 10  # of classes that each batch is split into, where there are too many for one step
CLIP_SCALE = 100.0  # CLIP's inverse temperature, for which DeFT's learning rate is meant
CITATION = (
    "T. Wei, H.-T. Li, C.-S. Li, J.-X. Shi, Y.-F. Li, M.-L. Zhang: Vision-Language Models are Strong "
    "Noisy Label Detectors. NeurIPS 2024."
)


def mostly_generalized(logits: Tensor, labels: Tensor) -> Tensor:
    """Return generalised cross-entropy with q = 0.7 and a fiftieth of cross-entropy, (N,).

    The first weights a sample's gradient by p_y^q: alone, it would never learn a class that the model never predicts,
    and all its labels would be called wrong. (With `tiny` and four prompts that happened to handwritten threes.)

    Args:
        logits: (N, K).
        labels: (N,).
    """
    return generalized_cross_entropy(logits, labels) + CE_SHARE * cross_entropy(logits, labels)


WARMUP_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ce": cross_entropy,
    "sce": symmetric_cross_entropy,
    "gce": mostly_generalized,
}


@checked
@dataclass(frozen=True)
class Recipe:
    """How phase 1 learns.

    Args:
        warmup: Number of epochs T₀ in which every label counts as clean for L_sim; None for all epochs.
        dual_warmup: The same for L_dp.
        gradient: Which weights L_dp trains. "both" is the published formula; "negative" is the authors' code, which
            stops the gradient at the image feature and at the positive similarity.
        pseudo_labels: Whether L_dp takes the predicted class as ŷ where the given label isn't believed; if not,
            such samples are left out of it (Algorithm 1).
        warmup_loss: What L_sim is during the warm-up: "ce" as published, "sce" as in the authors' code for real noise,
            or "gce", generalised cross-entropy (`mostly_generalized`), which wrong labels disturb least.
        require_margin: Whether a clean label must also be the class with the largest s⁺ − s⁻, while learning and in a
            negative verdict.
        verdict: What the final verdict is based on. "negative" is the paper's: a label passes if the image is closer to
            its positive prompt than to its negative one. "posterior" is ours: a label passes if it is likely enough,
            given what both prompts of all classes say about the image and how often each class is mistaken for each
            other one, which is estimated from the images (`estimate_transition`). "evidence" is ours as well, and the
            default of `DeFT(encoder)`: beside both prompts it uses the zero-shot text, a discriminant and the nearest
            neighbours in frozen features, each weighted by how well it predicts held-out labels (`Evidence`). None of
            them changes how phase 1 learns.
        steps: Largest number of steps in all epochs together if features are kept: batches are made large enough for
            it, since each step runs the text tower over all classes. None leaves the batch size alone. An epoch has
            one step at least.
        classes: Largest number of classes in a step if features are kept, 3 or more: with more classes, each batch is
            split by random groups of classes into steps of their own, ten at most. None takes all classes in each step.
        rate: "fixed" takes the learning rate as it is; "temperature" takes it as meant for CLIP's temperature, and
            raises it for an encoder whose softmax is flatter, which would otherwise move less in each step.

    Raises:
        SettingsError: A value makes no sense; the sentence says which.

    Example:
        >>> DeFT(encoder, recipe=Recipe(warmup=5, warmup_loss="sce"))  # doctest: +SKIP
    """

    warmup: int | None = 1
    dual_warmup: int = 1
    gradient: Literal["both", "negative"] = "negative"
    pseudo_labels: bool = True
    warmup_loss: Literal["ce", "sce", "gce"] = "ce"
    require_margin: bool = False
    verdict: Literal["evidence", "negative", "posterior"] = "negative"
    steps: int | None = None
    classes: int | None = None
    rate: Literal["fixed", "temperature"] = "fixed"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if (self.warmup or 0) < 0 or self.dual_warmup < 0:
            raise SettingsError("A warm-up can't last a negative number of epochs.")
        if self.gradient not in ("both", "negative"):
            raise SettingsError(f"Unknown gradient {self.gradient!r} of L_dp. Known: both, negative.")
        if self.warmup_loss not in WARMUP_LOSSES:
            raise SettingsError(f"Unknown warm-up loss {self.warmup_loss!r}. Known: {', '.join(WARMUP_LOSSES)}.")
        if self.verdict not in ("evidence", "negative", "posterior"):
            raise SettingsError(f"Unknown verdict {self.verdict!r}. Known: evidence, negative, posterior.")
        if self.steps is not None and self.steps < 1:
            raise SettingsError(f"Training needs at least one step, not {self.steps}.")
        if self.classes is not None and self.classes < 3:
            raise SettingsError(f"A step needs at least three classes, not {self.classes}.")
        if self.rate not in ("fixed", "temperature"):
            raise SettingsError(f"Unknown rate {self.rate!r}. Known: fixed, temperature.")

    def groups(self, classes: int) -> int:
        """Return into how many groups the classes are split for training.

        Args:
            classes: Number of classes K.
        """
        return 1 if self.classes is None else -(-classes // self.classes)

    @property
    def features(self) -> Features:
        """Which features are kept if the image tower stays as it is."""
        return "pooled" if self.verdict == "evidence" else "joint"


class Ending(nn.Module, ABC):
    """What ends training before its last epoch; it is a module so that what it remembers is kept with a run."""

    @abstractmethod
    def settled(self, method: DualPromptTraining) -> bool:
        """Return whether to leave out the epochs after this one, by what `method` has learned so far."""


class DualPromptTraining(Training):
    """Phase 1 of DeFT (Wei et al. 2024, Algorithm 1, Eq. 4 to 8) as a stream of losses.

    Args:
        encoder: A frozen vision-language model, with `attachment` on it.
        encode: Gives unit features (B, D) of a batch's inputs.
        prompts: The dual prompts.
        attachment: The tuning's trainable weights.
        recipe: How it learns.
        trusted: Mask of labels that a person has confirmed, bool (N,) over the rows of the data set: always believed.
    """

    citation = CITATION

    def __init__(
        self,
        encoder: DualEncoder,
        encode: Callable[[Tensor], Tensor],
        prompts: DualPrompts,
        attachment: Attachment,
        recipe: Recipe,
        trusted: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.prompts = prompts
        self.attachment = attachment
        self.ending: Ending | None = None  # for all epochs
        # In a tuple, so that the frozen encoder is no part of this module's state.
        self._borrowed = (encoder,)
        self._encode = encode
        self._recipe = recipe
        self._trusted = None if trusted is None else torch.from_numpy(trusted).to(encoder.device)

    @property
    def encoder(self) -> DualEncoder:
        """The model that is adapted."""
        return self._borrowed[0]

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        rng = np.random.default_rng([train.seed, epoch, 1])
        grouping = np.random.default_rng([train.seed, epoch, 2])
        for whole in train.epoch(epoch):
            for batch, classes in self._steps(whole, grouping):
                positive, negative = self.text_features(classes)
                features = self._encode(batch.inputs)
                others = sent(torch.from_numpy(rng.integers(1, len(positive), size=len(batch))), batch.labels.device)
                complementary = (batch.labels + others) % len(positive)
                positive_sim, negative_sim = self._similarities(features, positive, negative)
                yield self._loss(batch, positive_sim, negative_sim, complementary, epoch)

    def _steps(self, batch: Batch, rng: np.random.Generator) -> Iterator[tuple[Batch, Tensor | None]]:
        """A batch as it is, or the parts of it that belong to drawn groups of classes, labels counted within each."""
        count = len(self.prompts.plan)
        groups = self._recipe.groups(count)
        if groups == 1 or len(self.attachment.weights):  # an image tower that learns is not to see images in vain
            yield batch, None
            return
        for group in np.array_split(rng.permutation(count), groups)[:MOST_GROUPS]:
            place = np.full(count, -1)
            place[group] = np.arange(len(group))
            own = torch.from_numpy(place).to(batch.labels.device)[batch.labels]
            rows = own >= 0
            yield Batch(batch.inputs[rows], own[rows], batch.index[rows]), torch.from_numpy(group)

    def settled(self) -> bool:
        return self.ending is not None and self.ending.settled(self)

    def rate_scale(self, epoch: int) -> float:
        if self._recipe.rate == "fixed":
            return 1.0
        return CLIP_SCALE / max(float(self.encoder.logit_scale), 1.0)

    def predict(self, inputs: Tensor) -> Tensor:
        positive, _ = self.text_features()
        return self.encoder.logit_scale * self._encode(inputs) @ positive.T

    def text_features(self, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return unit features of the positive and the negative prompts, (K, D) each.

        Args:
            classes: Some of the classes, whose features alone are wanted, (K,); None for all.
        """
        return self.prompts(self.encoder.text, classes)  # type: ignore[no-any-return]

    def scores(self, inputs: Tensor, texts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return s⁺ and s⁻ of a batch against every class, (B, K) each, and the unit features behind them, (B, D).

        Args:
            inputs: What the batch holds.
            texts: Features of the prompts, from `text_features`.
        """
        features = self._encode(inputs)
        return *self._similarities(features, *texts), features

    def _similarities(self, features: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        features, scale = features.float(), self.encoder.logit_scale
        seen = features.detach() if self._recipe.gradient == "negative" else features
        with torch.autocast(features.device.type, enabled=False):
            return products(scale * features, positive.float()), products(scale * seen, negative.float())

    def _loss(self, batch: Batch, positive_sim: Tensor, negative_sim: Tensor, other: Tensor, epoch: int) -> Tensor:
        """Return L = L_dp + L_sim of one batch (Eq. 7 and 8)."""
        recipe, labels = self._recipe, batch.labels
        stopped = positive_sim.detach() if recipe.gradient == "negative" else positive_sim
        odds = clean_probability_logit(stopped, negative_sim)
        clean = believed(odds.detach(), labels, require_margin=recipe.require_margin) > 0
        if self._trusted is not None:
            clean = clean | self._trusted[batch.index]
        everything = torch.ones_like(clean)

        warm = recipe.warmup is None or epoch < recipe.warmup
        l_sim = (WARMUP_LOSSES[recipe.warmup_loss] if warm else cross_entropy)(positive_sim, labels)
        loss = masked_mean(l_sim, everything if warm else clean)

        trusted = everything if epoch < recipe.dual_warmup else clean
        target = torch.where(trusted, labels, positive_sim.detach().argmax(dim=1))
        l_dp = dual_prompt_loss(score_of(odds, target), score_of(odds, other))
        return loss + masked_mean(l_dp, everything if recipe.pseudo_labels else trusted)


def believed(odds: Tensor, labels: Tensor, *, require_margin: bool) -> Tensor:
    """Return the log-odds that each given label is right, (B,); positive means clean (Eq. 4).

    With `require_margin` the label's log-odds must also be the largest of all classes (the authors' extra
    condition for real noise); the result is then the smaller of the two distances to the border.

    Args:
        odds: s⁺ − s⁻ against every class, (B, K).
        labels: Given labels, (B,).
        require_margin: Whether the label must also win against the other classes.
    """
    own = score_of(odds, labels)
    if not require_margin:
        return own
    return torch.minimum(own, margin(odds, labels))


def evidence(positive_sim: Tensor, negative_sim: Tensor) -> Tensor:
    """Return the log-probability of each class up to a constant, (B, K), from the image alone, not from its label.

    Two experts' product: the softmax over the positive prompts, exp(s⁺), and each class's own odds against its
    negative prompt, exp(s⁺ − s⁻).

    Args:
        positive_sim: s⁺, (B, K).
        negative_sim: s⁻, (B, K).
    """
    return positive_sim + (positive_sim - negative_sim)
