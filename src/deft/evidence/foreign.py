"""Images of none of the classes: they look odd, and their labels fit no better than by chance.

Shapes: N images, F features of how odd an image looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

START_SHARE, START_PLACE = 0.05, 0.95  # where the search begins; the second is a quantile of the last feature
START_SURE, START_ELSE = 0.8, 0.01  # probabilities that images above it, and others, begin with
ROUNDS, STILL = 200, 1e-6
LEAST_KNOWN, LEAST_ODD = 0.01, 0.04  # added to each variance, in variances of all images
WORTH = 20.0  # nats of likelihood that they have to explain, in all, before any is held for foreign
LIKE_OTHERS = 0.5  # of the nats by which labels beat chance on all images: where odd ones reach it, none is foreign
MOST_SHARE = 0.5
LEFT_OPEN = 0.25  # of the largest entropy, which images have on average where they are foreign
EDGE = 1e-4  # doubt that is counted as none or as complete
DOUBTED = 4  # classes from which doubt counts: of two or three, doubt between all is common


def looks(unusual: Tensor, log_probs: Tensor) -> Tensor:
    """Return how odd images look: how far from all others, and how much they leave the classes open, (N, F).

    The second is the log-odds of the entropy of P(class | image) over its largest possible one. An image of a class
    that is hard is doubted between a few classes, one of none of them often between all; foreign images that are all
    alike (cars among landscapes) don't look unusual, for they form a crowd of their own. F is 1 for less than four
    classes, where hard images leave all classes open, too.

    Args:
        unusual: How unusual each image looks, (N,) (`deft.evidence.discriminant.Discriminant.unusualness`).
        log_probs: log P(class | image) with the given label left aside, (N, K).
    """
    classes = log_probs.shape[1]
    if classes < DOUBTED:
        return unusual[:, None].double()
    doubt = -(log_probs.exp() * log_probs).sum(dim=1) / math.log(classes)
    return torch.stack([unusual, torch.logit(doubt.clamp(EDGE, 1 - EDGE))], dim=1).double()


@dataclass(frozen=True)
class Cloud:
    """A Gaussian of how odd images look.

    Args:
        mean: (F,).
        covariance: (F, F).
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, values: Tensor, weights: Tensor, least: Tensor) -> Cloud:
        """Return the weighted Gaussian of values, (N, F), with `least` (F,) added to its variances."""
        total = weights.sum().clamp(min=1e-9)
        mean = (weights[:, None] * values).sum(dim=0) / total
        apart = values - mean
        return cls(mean, (weights[:, None] * apart).T @ apart / total + torch.diag(least))

    def log_density(self, values: Tensor) -> Tensor:
        """Return the log-density of values (N, F) up to a constant that all Gaussians share, (N,)."""
        lower = torch.linalg.cholesky(self.covariance)
        white = torch.linalg.solve_triangular(lower, (values - self.mean).T, upper=False)
        density: Tensor = -0.5 * white.square().sum(dim=0) - lower.diagonal().log().sum()
        return density


@dataclass(frozen=True)
class Foreign:
    """How many images belong to no class, and how odd they look.

    Args:
        share: Share of foreign images, 0..1; 0 where the data show none.
        known: How images of the classes look.
        odd: How foreign images look.
        classes: Number of classes K: a foreign image bears each label equally often.

    Example:
        >>> Foreign.none(10).probability(torch.tensor([[3.0]]), torch.tensor([-2.0]))
        tensor([0.])
    """

    share: float
    known: Cloud
    odd: Cloud
    classes: int

    @classmethod
    def none(cls, classes: int) -> Foreign:
        """Return that no image is foreign."""
        nowhere = Cloud(torch.zeros(1), torch.eye(1))
        return cls(0.0, nowhere, nowhere, classes)

    @classmethod
    def learn(cls, seen: Tensor, log_likelihoods: Tensor, classes: int) -> Foreign:
        """Return the share that makes images and labels most likely, by expectation maximisation.

        Two kinds of images are told apart by how odd they look (two Gaussians) and by how well their label fits (as the
        classes foretell it, or by chance). A hard or unusual image of a class has a label that fits, so it isn't taken
        for a foreign one. Images that merely are hard form a second kind, too; they are told from foreign ones by their
        labels, which fit better than chance.

        Args:
            seen: What `looks` gave, (N, F).
            log_likelihoods: log P(given label | image) if it belongs to a class, (N,).
            classes: Number of classes K.
        """
        seen, likelihoods = seen.double(), log_likelihoods.double()
        spread = seen.var(dim=0) if len(seen) > 1 else seen.new_zeros(seen.shape[1])
        if not bool((torch.isfinite(spread) & (spread > 0)).all()):
            return cls.none(classes)
        last = seen[:, -1]
        odd = torch.where(last > last.quantile(START_PLACE), START_SURE, START_ELSE).double()
        found, share = cls.none(classes), START_SHARE
        for _ in range(ROUNDS):
            before = share
            clouds = Cloud.of(seen, 1 - odd, LEAST_KNOWN * spread), Cloud.of(seen, odd, LEAST_ODD * spread)
            found = cls(share, *clouds, classes)
            odd = found.probability(seen, likelihoods).double()
            share = min(float(odd.mean()), MOST_SHARE)
            if share < 0.5 / len(seen):
                return cls.none(classes)
            if abs(share - before) < STILL:
                break
        alone = Cloud.of(seen, torch.ones_like(last), LEAST_KNOWN * spread)
        known, foreign = found._parts(seen, likelihoods)
        gain = float((torch.logaddexp(known, foreign) - likelihoods - alone.log_density(seen)).sum())
        odder = float(found.odd.mean[-1]) > float(found.known.mean[-1])
        if gain < WORTH or not odder or not found._open() or not found._labelled_at_random(seen, likelihoods):
            return cls.none(classes)
        return found

    def probability(self, seen: Tensor, log_likelihoods: Tensor) -> Tensor:
        """Return the probability that an image belongs to none of the classes, its label known, (N,).

        Args:
            seen: What `looks` gave, (N, F).
            log_likelihoods: log P(given label | image) if it belongs to a class, (N,).
        """
        if self.share <= 0:
            return torch.zeros(len(seen))
        known, odd = self._parts(seen.double(), log_likelihoods.double())
        return (odd - known).sigmoid().float()

    def tensors(self) -> dict[str, Tensor]:
        """Return all of it as named tensors, for a file."""
        clouds = {"foreign_known": self.known, "foreign_odd": self.odd}
        kept = {name: torch.cat([cloud.mean[None], cloud.covariance]).double() for name, cloud in clouds.items()}
        return {"foreign": torch.tensor(self.share, dtype=torch.float64), **kept}

    @classmethod
    def from_tensors(cls, kept: dict[str, Tensor], classes: int) -> Foreign:
        """Return what `tensors` gave.

        Args:
            kept: Named tensors of a file.
            classes: Number of classes K.

        Raises:
            KeyError: One is missing.
            ValueError: One isn't what `tensors` gives.
        """
        known, odd = (kept[name] for name in ("foreign_known", "foreign_odd"))
        if known.ndim != 2 or known.shape != odd.shape or len(known) != known.shape[1] + 1:
            raise ValueError("not the mean and covariance of a Gaussian")
        return cls(kept["foreign"].item(), Cloud(known[0], known[1:]), Cloud(odd[0], odd[1:]), classes)

    def _open(self) -> bool:
        """Return whether odd images leave the classes open: experts that are sure of nearly all images make any odd."""
        return len(self.odd.mean) == 1 or float(self.odd.mean[-1].sigmoid()) > LEFT_OPEN

    def _labelled_at_random(self, seen: Tensor, log_likelihoods: Tensor) -> bool:
        """Return whether labels of images that look foreign hardly fit better than chance; hard images' do."""
        over = log_likelihoods + math.log(self.classes)
        known, odd = self._parts(seen, torch.full_like(over, -math.log(self.classes)))
        look = (odd - known).sigmoid()
        fit = float((look * over).sum() / look.sum().clamp(min=1e-9))
        return fit < LIKE_OTHERS * float(over.mean())

    def _parts(self, seen: Tensor, log_likelihoods: Tensor) -> tuple[Tensor, Tensor]:
        known = math.log1p(-self.share) + log_likelihoods + self.known.log_density(seen)
        odd = math.log(self.share) - math.log(self.classes) + self.odd.log_density(seen)
        return known, odd
