"""The default verdict: all that speaks for a class, weighed by what foretells held-out labels, under learned noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import gammaincinv
from torch import Tensor

from deft.detectors.collector import odds_of
from deft.errors import ModelError
from deft.evidence.cleaned import Cleaned
from deft.evidence.discriminant import Discriminant
from deft.evidence.explanations import Explanations
from deft.evidence.folds import FEW_IMAGES
from deft.evidence.foreign import Foreign, looks
from deft.evidence.neighbours import Near, Neighbours
from deft.evidence.weighing import Weighed
from deft.runs.detection import Verdicts
from deft.wording import counted

EXPERTS = (
    *("zero-shot text", "positive prompts", "negative prompts", "discriminant", "neighbours"),
    *("cleaned discriminant", "cleaned neighbours"),
)
FEW = 2  # classes whose labels sixteen vectors learn by heart; docs/deft.md
SAVED = "evidence."
WITHIN = 1.96  # standard errors on either side that 95 of 100 cases lie within
MODEL_ERROR = 0.1  # standard error of the log-odds of the noise rate for what no likelihood knows; docs/deft.md
FOREIGN_ERROR = 0.3  # and of those of the share of foreign images


class Judgement(NamedTuple):
    """What is held of each image.

    Args:
        log_probs: log P(class | image) with the given label left aside, (N, K).
        joint: log P(class, given label | image), (N, K).
        none: P(none of the classes | image, label), (N,).
        odds: Log-odds that the label is right, (N,).
    """

    log_probs: Tensor
    joint: Tensor
    none: Tensor
    odds: Tensor


@dataclass(frozen=True)
class Evidence:
    """What a detector learned of how to weigh what images say, and of how their labels go wrong.

    Args:
        references: Pooled features of labelled images, float16, (R, P).
        labels: Their given labels, (R,).
        texts: Unit features of "a photo of a ...", (K, D).
        shrinkage: Shrinkage of the discriminant.
        weighed: Weights of the experts, and the noise of the labels.
        foreign: How many images belong to none of the classes.
        threshold: Probability of being right below which a label is flagged.
        shares: How much each expert counts, summing to one, (E,).
        band: Factors by which the true noise rate may be lower and higher than estimated, beyond what labels can tell.
        cleaned: The references with their labels doubted; None while that isn't known yet.
        decisions: How many decisions of people the noise was set right by.
        hears_prompts: Whether the prompts count, which have learned the labels of a small set (`hears_prompts_of`).
    """

    references: Tensor
    labels: Tensor
    texts: Tensor
    shrinkage: float
    weighed: Weighed
    foreign: Foreign
    threshold: float
    shares: Tensor
    band: tuple[float, float]
    cleaned: Cleaned | None = None
    decisions: int = 0
    hears_prompts: bool = True

    def __repr__(self) -> str:
        return f"Evidence({counted(len(self.labels), 'label')}, {counted(len(self.texts), 'class', 'classes')})"

    @cached_property
    def discriminant(self) -> Discriminant:
        """The discriminant of the references."""
        features = self.references.float()
        return Discriminant.fit(features, self.labels, classes=len(self.texts), shrinkage=self.shrinkage)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The neighbourhood of the references."""
        return Neighbours.fit(self.references.float(), self.labels, classes=len(self.texts))

    @property
    def judges(self) -> bool:
        """Whether the evidence is better than chance: whether it foretells held-out labels at all."""
        return self.weighed.judges

    def experts(
        self, frozen: tuple[Tensor, Tensor], prompts: tuple[Tensor, Tensor], near: Near, labels: Tensor, scale: float
    ) -> list[Tensor]:
        """Return what each expert says of every class, its own label left out, (N, K) each, in the order of `EXPERTS`.

        Args:
            frozen: Unit and pooled features of the untouched encoder.
            prompts: Similarities s⁺ and s⁻.
            near: The nearest references.
            labels: Given labels, (N,).
            scale: Inverse temperature of the encoder.
        """
        unit, pooled = (part.cpu().float() for part in frozen)
        positive, negative = (part.cpu().float() for part in prompts)
        if not self.hears_prompts:
            positive, negative = torch.zeros_like(positive), torch.zeros_like(negative)
        discriminant = self.discriminant.scores(pooled, labels, near.copies)
        votes = self.neighbours.shares(near)
        cleaned = [] if self.cleaned is None else self.cleaned.experts(pooled, near, self.neighbours)
        return [scale * unit @ self.texts.T, positive, positive - negative, discriminant, votes, *cleaned]

    def judge(self, experts: Sequence[Tensor], pooled: Tensor, labels: Tensor) -> Judgement:
        """Return what is held of each image.

        Args:
            experts: What `experts` gave.
            pooled: Pooled features of the untouched encoder, (N, P).
            labels: Given labels, (N,).
        """
        heard = [expert.log_softmax(dim=1) for expert in experts]
        log_probs, joint = self.weighed.explanations.believe(heard, labels)
        none = torch.zeros(len(labels))
        if self.foreign.share > 0:
            seen = looks(self.discriminant.unusualness(pooled.cpu()), log_probs)
            none = self.foreign.probability(seen, joint.logsumexp(dim=1))
        return Judgement(log_probs, joint, none, odds_of(joint, labels, none))

    def told(self, verdicts: Verdicts, trusted: np.ndarray) -> dict[str, Any]:
        """Return what a summary says of how it was judged: experts, noise rate with its interval, and a sentence.

        Labels that a person confirmed are right, whatever the model doubts.

        Args:
            verdicts: The verdicts that it gave, (N,).
            trusted: Whether a person confirmed each label, bool (N,).
        """
        judged = np.isfinite(verdicts.p_clean)
        open_ = judged & ~trusted
        rate, low, high = self._rate_of(verdicts, open_) if bool(open_.any()) else (0.0, 0.0, 0.0)
        share = int(open_.sum()) / max(int(judged.sum()), 1)
        counted = {name: round(float(share), 3) for name, share in zip(EXPERTS, self.shares, strict=False)}
        return {
            "judges": self.judges,
            "sentence": self._sentence(),
            "experts": counted,
            "foreign_share": round(self.foreign.share, 4),
            "noise_rate": share * rate if self.judges else None,
            "noise_rate_interval": [share * low, share * high],
        }

    def _rate_of(self, verdicts: Verdicts, rows: np.ndarray) -> tuple[float, float, float]:
        """Return the estimated rate of wrong labels of some rows, bool (N,), and its interval."""
        wrong = 1 - verdicts.p_clean[rows].astype(np.float64)
        none = np.zeros(1) if verdicts.p_none is None else verdicts.p_none[rows].astype(np.float64)
        rate, foreign = float(wrong.mean()), float(none.mean())
        chance = WITHIN * float(np.sqrt((wrong * (1 - wrong)).sum())) / len(wrong) + 0.5 / len(wrong)
        low, high = self._rates(max(rate - foreign, 0.0) / max(1 - foreign, 1e-9))
        least, most = _foreign_rates(foreign)
        low, high = least + (1 - least) * low, most + (1 - most) * high
        return rate, max(low - chance, 0.0), min(high + chance, 1.0)

    def _rates(self, rate: float) -> tuple[float, float]:
        """Return between which rates the labels of the classes' own images may be wrong, chance among them aside."""
        fewer, more = count_factors(math.hypot(self.weighed.rate_error, MODEL_ERROR))
        return _scaled(rate * self.band[0], fewer), _scaled(rate * self.band[1], more)

    def _sentence(self) -> str:
        if not self.judges:
            return (
                "This model can't judge these classes: what it sees foretells held-out labels no better than chance, "
                "so no label was flagged. Take a stronger model, check the class names, or bring more images per class."
            )
        ranked = sorted(zip(self.shares.tolist(), EXPERTS, strict=False), reverse=True)
        named = ", ".join(f"{name} {share:.0%}" for share, name in ranked if share >= 0.05)
        noise = self.weighed.explanations.best.noise
        kind = "evenly over the classes" if noise.places is None else "more on some classes than on others"
        hard = ", and on hard images" if self.weighed.hardness > 1 else ""
        odd = f"; {self.foreign.share:.1%} of the images seem to show none of the classes" if self.foreign.share else ""
        right = f"; set right by {counted(self.decisions, 'decision')} of people" if self.decisions else ""
        return f"Weighed by what foretells held-out labels best ({named}); wrong labels fall {kind}{hard}{odd}{right}."

    def tensors(self) -> dict[str, Tensor]:
        """Return all of it as named tensors, for a file."""
        weighed = self.weighed
        numbers = [self.shrinkage, self.threshold, *self.band, weighed.hardness, weighed.gain, weighed.gain_error]
        numbers += [weighed.rate_error, weighed.untaught, weighed.held_out]
        kept = {
            "references": self.references,
            "labels": self.labels,
            "texts": self.texts,
            "shares": self.shares,
            "numbers": torch.tensor(numbers, dtype=torch.float64),
            **weighed.explanations.tensors(),
            **self.foreign.tensors(),
        }
        if self.decisions:
            kept["decisions"] = torch.tensor(self.decisions)
        kept["hears_prompts"] = torch.tensor(int(self.hears_prompts))
        if self.cleaned is not None:
            kept.update(self.cleaned.tensors())
        return {SAVED + name: value.contiguous() for name, value in kept.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], classes: int) -> Evidence:
        """Return what `tensors` gave, and take it out of the dictionary.

        Args:
            tensors: Named tensors of a file.
            classes: Number of classes K.

        Raises:
            ModelError: They hold no evidence on that many classes.
        """
        kept = {name.removeprefix(SAVED): tensors.pop(name) for name in list(tensors) if name.startswith(SAVED)}
        try:
            shrinkage, threshold, low, high, hardness, gain, error, *more = kept["numbers"].tolist()
            explanations = Explanations.from_tensors(kept)
            weighed = Weighed(explanations, hardness, gain, error, *more)
            if len(kept["texts"]) != classes or len(explanations.best.noise.rates) != classes:
                raise ValueError
            return cls(
                kept["references"],
                kept["labels"],
                kept["texts"],
                shrinkage,
                weighed,
                Foreign.from_tensors(kept, classes),
                threshold,
                kept["shares"],
                (low, high),
                Cleaned.from_tensors(kept, kept["references"], shrinkage, classes),
                int(kept.get("decisions", 0)),
                bool(kept.get("hears_prompts", classes > FEW)),
            )
        except (KeyError, ValueError, IndexError, RuntimeError) as error:
            raise ModelError(f"The file holds no evidence on {classes} classes, by which its verdicts go.") from error


def hears_prompts_of(classes: int, images: int, *, tunes_images: bool) -> bool:
    """Return whether the prompts may say which labels are right that they learned from.

    Every other expert leaves an image's own label out. Prompts can't, but the contexts that all classes share are too
    little to learn thousands of labels by heart; those of a small set they know in part, and then vouch for wrong ones.
    Whoever tunes the image tower is heard: the prompts alone tell what it learned.

    Args:
        classes: Number of classes K.
        images: Images that were learned from.
        tunes_images: Whether the image tower learned as well.
    """
    return classes > FEW and (tunes_images or images > FEW_IMAGES)


def count_factors(error: float) -> tuple[float, float]:
    """Return by which factors odds may be lower and higher whose logarithm has a standard error, in 95 of 100 cases.

    They are those of a Poisson count (Garwood 1936) of 1 / error² events, as sure as the odds are (Fay and Feuer,
    Statistics in Medicine 1997). A normal logarithm gives the same factors of many events; of next to none it would
    let the odds be anything.

    Args:
        error: Standard error of the logarithm, above 0.

    Example:
        >>> fewer, more = count_factors(0.5)  # as of four events
        >>> round(4 * fewer, 2), round(4 * more, 2)
        (1.09, 10.24)
    """
    events = error**-2
    return float(gammaincinv(events, 0.025)) / events, float(gammaincinv(events + 1, 0.975)) / events


def _foreign_rates(rate: float) -> tuple[float, float]:
    """Return between which rates images may be foreign, chance among them aside."""
    factor = math.exp(WITHIN * FOREIGN_ERROR)
    return _scaled(rate, 1 / factor), _scaled(rate, factor)


def _scaled(rate: float, factor: float) -> float:
    """Return a rate whose odds are multiplied by a factor."""
    odds = factor * rate / max(1 - rate, 1e-9)
    return odds / (1 + odds)
