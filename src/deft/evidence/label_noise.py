"""How labels go wrong: at which rate in each class, and in favour of which other class.

Shapes: N images, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

START_RATE = 0.1
ROUNDS, STILL = 20, 1e-4
PSEUDO_WRONG, PSEUDO_IMAGES = 0.4, 2.0  # added: a rate of zero could never be left again, and no new label be blamed
ELSEWHERE = 1.0  # wrong label of each class that doesn't name its partner: with a few dozen in all, none would be left
MOST_RATE, LEAST_CHANCE = 0.95, 1e-12
UNLIKE, ALIKE = 0.55, 0.8  # share of wrong labels among look-alikes: symmetric noise shows up to the first by chance
HARD_ERRORS = 1.6  # by how much the odds of an error grow where errors fall on look-alikes, both ways


@dataclass(frozen=True)
class Pull:
    """How strongly the noise of each class is drawn to what is common to all, in images added to it.

    Args:
        rate: Images added to each class with the common noise rate.
        places: Wrong labels added to each class that fall as is common to all; infinity leaves them there.
        alike: Whether what is common to all is a mixture of even places and of those where the model's own doubt lies,
            in the proportion that makes the labels most likely; evenly if not.
        partner: Whether a part of it, as large as it is found to be, is that each class has one other that most of its
            wrong labels name: as many numbers as classes, where free places are their square.
    """

    rate: float = math.inf
    places: float = math.inf
    alike: bool = False
    partner: bool = False


@dataclass(frozen=True)
class LabelNoise:
    """How often the label of a class's image is wrong, and which other it then is.

    Args:
        rates: Share of wrong labels of each true class, (K,).
        places: Where a wrong label falls: each row sums to one, its diagonal is zero, (K, K); None for evenly.

    Example:
        >>> LabelNoise.even(3, 0.2).log_chances(torch.tensor([0])).exp()
        tensor([[0.8000, 0.1000, 0.1000]])
    """

    rates: Tensor
    places: Tensor | None = None

    @classmethod
    def even(cls, classes: int, rate: float) -> LabelNoise:
        """Return symmetric noise."""
        return cls(torch.full((classes,), min(max(rate, 1e-6), MOST_RATE)))

    def chances(self, labels: Tensor) -> Tensor:
        """Return P(given label | true class) of every true class, at least 1e-12, (N, K).

        Args:
            labels: Given labels, (N,).
        """
        classes = len(self.rates)
        right = (1 - self.rates[labels])[:, None].clamp(min=LEAST_CHANCE)
        if self.places is None:
            wrong = (self.rates / max(classes - 1, 1)).clamp(min=LEAST_CHANCE).expand(len(labels), classes)
        else:
            wrong = (self.rates[:, None] * self.places).clamp(min=LEAST_CHANCE).T[labels]
        return wrong.scatter(1, labels[:, None], right)

    def log_chances(self, labels: Tensor) -> Tensor:
        """Return log P(given label | true class) of every true class, (N, K).

        Args:
            labels: Given labels, (N,).
        """
        return self.chances(labels).log()

    def harder(self, factor: float) -> LabelNoise:
        """Return the same noise with the odds of every class's error multiplied by a factor."""
        odds = factor * self.rates / (1 - self.rates).clamp(min=1e-6)
        return replace(self, rates=(odds / (1 + odds)).clamp(max=MOST_RATE))


def learn_noise(log_probs: Tensor, labels: Tensor, pull: Pull, start: LabelNoise | None = None) -> LabelNoise:
    """Return the noise that makes the given labels most likely, by expectation maximisation.

    Source: Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied
    Statistics 1979, with a model's class probabilities as each image's prior (Bekker and Goldberger, ICASSP 2016).

    Args:
        log_probs: log P(class | image), (N, K).
        labels: Given labels, (N,).
        pull: What each class's noise is drawn to, and how strongly.
        start: Where to begin; even noise of a tenth if None.
    """
    probs, classes = log_probs.exp(), log_probs.shape[1]
    noise = start or LabelNoise.even(classes, START_RATE)
    common = _evenly(classes)
    if pull.alike:
        share = _share_alike(probs, labels, float(noise.rates.mean()))
        common = (1 - share) * common + share * look_alikes(probs)
    for _ in range(ROUNDS):
        before, noise = noise, _maximised(expected_labels(probs, labels, noise), pull, common)
        if float((noise.rates - before.rates).abs().max()) < STILL:
            break
    return noise


def look_alikes(probs: Tensor) -> Tensor:
    """Return where the model's doubt of each class lies: rows sum to one, the diagonal is zero, (K, K).

    Args:
        probs: P(class | image), (N, K).
    """
    alike = (probs.T @ probs).fill_diagonal_(0) + 1e-9
    alike.fill_diagonal_(0)
    return alike / alike.sum(dim=1, keepdim=True)


def share_alike(log_probs: Tensor, labels: Tensor, noise: LabelNoise) -> float:
    """Return the share of wrong labels that fall where the model's own doubt lies, 0..1.

    It is the most likely one in the mixture of even places and of `look_alikes`.

    Args:
        log_probs: log P(class | image), (N, K).
        labels: Given labels, (N,).
        noise: What is held of the labels.
    """
    return _share_alike(log_probs.exp(), labels, float(noise.rates.mean()))


def expected_labels(probs: Tensor, labels: Tensor, noise: LabelNoise) -> Tensor:
    """Return how many images of each true class (row) are expected to bear each label (column), (K, K).

    Args:
        probs: P(class | image), (N, K).
        labels: Given labels, (N,).
        noise: What is held of the labels.
    """
    joint = probs * noise.chances(labels)
    joint = joint / joint.sum(dim=1, keepdim=True).clamp(min=1e-30)
    classes = probs.shape[1]
    return probs.new_zeros(classes, classes).index_add_(0, labels, joint).T


def log_likelihoods(log_probs: Tensor, labels: Tensor, noise: LabelNoise) -> Tensor:
    """Return log P(given label | image) of each image, (N,).

    Args:
        log_probs: log P(class | image), (N, K).
        labels: Given labels, (N,).
        noise: How labels go wrong.
    """
    return (log_probs + noise.log_chances(labels)).logsumexp(dim=1)


def hardness(log_probs: Tensor, labels: Tensor, noise: LabelNoise) -> float:
    """Return by how much the odds of an error have to grow because errors fall on hard images, 1 or more.

    From the given labels alone nobody can tell a label that is wrong from an image that a model doubts: whatever is
    wrong on doubtful images is taken for the model's own doubt. How much of it are errors shows elsewhere: where people
    mix up just the classes whose images the model finds alike, and both ways, their errors are those of hard images.
    Where errors fall anywhere (symmetric noise) or one way only (pair flips), they are not.

    The measure is the share h of wrong labels that fall on look-alikes (`share_alike`); the factor goes from 1 where h
    is 0.55 or less to 1 + 1.6 where h is 0.8 or more and the mistakes are mutual. It was found on CIFAR-10N
    (docs/deft.md).

    Args:
        log_probs: log P(class | image), (N, K).
        labels: Given labels, (N,).
        noise: How labels go wrong.
    """
    if log_probs.shape[1] < 3:
        return 1.0
    probs = log_probs.exp()
    flows = expected_labels(probs, labels, noise).fill_diagonal_(0)
    mutual = float(torch.minimum(flows, flows.T).sum() / flows.sum().clamp(min=1e-9))
    share = (share_alike(log_probs, labels, noise) - UNLIKE) / (ALIKE - UNLIKE)
    return 1 + HARD_ERRORS * min(max(share, 0.0), 1.0) * min(2 * mutual, 1.0)


def _share_alike(probs: Tensor, labels: Tensor, rate: float) -> float:
    """Return the share of `share_alike`, by expectation maximisation."""
    classes, alike = probs.shape[1], look_alikes(probs)
    own = probs.gather(1, labels[:, None]).squeeze(1)
    anywhere, doubt = (1 - own) / (classes - 1), (probs * alike.T[labels]).sum(dim=1)
    share, rate = 0.5, max(rate, 1e-3)
    for _ in range(100):
        parts = torch.stack([(1 - rate) * own, rate * (1 - share) * anywhere, rate * share * doubt])
        right, even, hard = (parts / parts.sum(dim=0).clamp(min=1e-30)).sum(dim=1).tolist()
        rate, share = max((even + hard) / (right + even + hard), 1e-6), hard / max(even + hard, 1e-12)
    return float(share)


def _evenly(classes: int) -> Tensor:
    return (1 - torch.eye(classes)) / max(classes - 1, 1)


def _maximised(counts: Tensor, pull: Pull, common: Tensor) -> LabelNoise:
    """Return the most likely noise, given expected counts of (class, label) and where wrong labels commonly fall."""
    total = counts.sum(dim=1)
    flows = counts.clone().fill_diagonal_(0)
    wrong = flows.sum(dim=1)
    rate = (float(wrong.sum()) + PSEUDO_WRONG) / (float(total.sum()) + PSEUDO_IMAGES)
    rates = torch.full_like(wrong, rate)
    if math.isfinite(pull.rate):
        rates = (wrong + pull.rate * rate) / (total + pull.rate)
    if pull.partner:
        common = _with_partners(flows, common)
    places = common if pull.alike else None
    if math.isfinite(pull.places):
        places = (flows + pull.places * common) / (wrong + pull.places)[:, None]
    return LabelNoise(rates.clamp(1e-6, MOST_RATE), places)


def _with_partners(flows: Tensor, common: Tensor) -> Tensor:
    """Return places of which a part is each class's most frequent wrong label, the rest as before, (K, K)."""
    most, partner = flows.max(dim=1)
    share = float(most.sum() / (flows.sum() + ELSEWHERE * len(flows)))
    return (1 - share) * common + share * torch.nn.functional.one_hot(partner, len(flows))
