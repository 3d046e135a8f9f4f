"""A discriminant of labelled features whose scores leave each image's own label out, in closed form.

Shapes: R labelled images, N images that are scored, P width of the features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from deft.one_thread import one_thread

SHRINKAGES = (0.02, 0.1, 0.3, 0.6)  # that are tried
TAIL = 1 / 3  # degrees of freedom of the t-distribution, in units of P
LEAST_PULL = 1e-3  # images: of a class without an image but the one that is left out, the common mean is left
ROUNDING = 1e-9  # of the variance of all features: a scatter within classes that is smaller is taken for rounding
LEAST_LEFT = 1e-3  # of an image's own part in the covariance, so that the one image in its direction divides by no zero


@dataclass(frozen=True)
class Discriminant:
    """Classes as multivariate t-distributions with one shared scatter: linear discriminant analysis with honest tails.

    Source: Fisher 1936; the posterior predictive of a Gaussian with uncertain mean and covariance (Gelman et al.,
    "Bayesian Data Analysis", section 3.6). Class means are drawn to the common one by `pull` images, the ratio of the
    variance within classes to that between them, and the scatter to a round one by `shrinkage`.

    Args:
        center: Mean of the features, float64, (P,).
        scale: Their standard deviation, float64, (P,).
        means: Mean of each class in standardised features, float64, (K, P).
        counts: Images of each class, float64, (K,).
        scatter: Shared covariance within classes in standardised features, before shrinkage, float64, (P, P).
        shrinkage: Part of it that is replaced by a round one, 0..1.

    Example:
        >>> features = torch.tensor([[0.0, 0.1], [0.1, -0.1], [1.0, 1.1], [1.1, 0.9]])
        >>> fitted = Discriminant.fit(features, torch.tensor([0, 0, 1, 1]), classes=2, shrinkage=0.3)
        >>> fitted.scores(torch.tensor([[0.0, 0.0]])).argmax(dim=1)
        tensor([0])
    """

    center: Tensor
    scale: Tensor
    means: Tensor
    counts: Tensor
    scatter: Tensor
    shrinkage: float

    @classmethod
    def fit(
        cls, features: Tensor, labels: Tensor, *, classes: int, shrinkage: float, shares: Tensor | None = None
    ) -> Discriminant:
        """Return the discriminant of labelled images.

        Args:
            features: (R, P).
            labels: Their given labels, (R,); with `shares` the classes that each may be of, (R, T).
            classes: Number of classes K; some may have no image.
            shrinkage: 0..1.
            shares: How much each image counts for each of those classes, summing to one, (R, T).
        """
        features = features.detach().cpu().double()
        labels = labels.cpu()
        center, scale = features.mean(dim=0), features.std(dim=0, unbiased=False)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        standard = (features - center) / scale
        if shares is None:
            labels, shares = labels[:, None], standard.new_ones(len(labels), 1)
        shares = shares.cpu().double()
        counts, sums = standard.new_zeros(classes), standard.new_zeros(classes, standard.shape[1])
        for label, share in zip(labels.T, shares.T, strict=True):
            counts.index_add_(0, label, share)
            sums.index_add_(0, label, share[:, None] * standard)
        means = sums / counts.clamp(min=1e-9)[:, None]
        free = max(len(labels) - int((counts > 0).sum()), 1)
        total = (shares.sum(dim=1, keepdim=True) * standard).T @ standard
        scatter = (total - (counts[:, None] * means).T @ means) / free
        return cls(center, scale, means, counts, scatter, shrinkage)

    @property
    def _free(self) -> float:
        """Degrees of freedom of the scatter."""
        return max(float(self.counts.sum()) - int((self.counts > 0).sum()), 1.0)

    @cached_property
    def pull(self) -> float:
        """Images by which a class's mean is drawn to the common one: variance within over variance between."""
        within = float(self.scatter.diagonal().sum())
        present, total = int((self.counts > 0).sum()), float(self.counts.sum())
        spread = float((self.counts * self.means.square().sum(dim=1)).sum()) / total
        between = spread - (present - 1) / total * within
        return max(within / max(between, 1e-3 * within, 1e-12), LEAST_PULL)

    @cached_property
    def _whitening(self) -> Tensor:
        """The matrix (P, P) after which the shrunk scatter is the identity."""
        width = len(self.center)
        rounding = ROUNDING * float(self.counts.sum()) / self._free  # standardised features have a variance of one
        level = max(float(self.scatter.diagonal().mean()), rounding)
        shrunk = (1 - self.shrinkage) * self.scatter + self.shrinkage * level * torch.eye(width, dtype=torch.float64)
        with one_thread():
            lower = torch.linalg.cholesky(shrunk)
        identity = torch.eye(width, dtype=torch.float64)
        whitening: Tensor = torch.linalg.solve_triangular(lower, identity, upper=False).T
        return whitening

    def scores(self, features: Tensor, labels: Tensor | None = None, copies: Tensor | None = None) -> Tensor:
        """Return log P(features | class) + log P(class) up to a constant of each image, float32, (N, K).

        Where an image is among those that were learned from, it and its copies are left out of its class: of the mean,
        the count and the scatter, exactly (Sherman and Morrison 1950), so that no label vouches for itself.

        Args:
            features: (N, P).
            labels: Given labels, (N,); needed with `copies`.
            copies: How many images of the same label are copies of each one, itself included, (N,); 0 where it is new.
        """
        standard = (features.detach().cpu().double() - self.center) / self.scale
        white = standard @ self._whitening
        pulled = (self.counts / (self.counts + self.pull))[:, None] * self.means @ self._whitening
        distances = white.square().sum(dim=1, keepdim=True) - 2 * white @ pulled.T + pulled.square().sum(dim=1)
        counts = self.counts.expand_as(distances)
        if labels is not None and copies is not None:
            distances, counts = self._left_out(distances, standard, white, pulled, labels.cpu(), copies.cpu().double())
        return self._log_density(distances.clamp(min=0), counts).float()

    def unusualness(self, features: Tensor) -> Tensor:
        """Return the log of each image's squared distance from the common mean, in units of the scatter, (N,)."""
        standard = (features.detach().cpu().double() - self.center) / self.scale
        squared: Tensor = (standard @ self._whitening).square().sum(dim=1)
        return squared.clamp(min=1e-12).log().float()

    def _left_out(
        self, distances: Tensor, standard: Tensor, white: Tensor, pulled: Tensor, labels: Tensor, copies: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the distances and class counts without each image and its copies."""
        own, counts = labels[:, None], self.counts[labels]
        copies = torch.minimum(copies, counts)
        left = counts - copies
        rest = (standard - self.means[labels]) @ self._whitening
        part = torch.where(left > 0, (1 - self.shrinkage) / self._free * copies * counts / left.clamp(min=1), 0.0)
        part = part / (1 - part * rest.square().sum(dim=1)).clamp(min=LEAST_LEFT)
        across = (rest * white).sum(dim=1, keepdim=True) - rest @ pulled.T
        distances = distances + part[:, None] * across.square()
        grown = (counts + self.pull) / (left + self.pull)
        distances = distances.scatter(1, own, distances.gather(1, own) * grown.square()[:, None])
        return distances, self.counts.repeat(len(labels), 1).scatter(1, own, left[:, None])

    def _log_density(self, distances: Tensor, counts: Tensor) -> Tensor:
        width, images = len(self.center), float(self.counts.sum())
        spread = 1 + 1 / (counts + self.pull)  # what is unknown of a mean widens its class
        freedom = TAIL * width
        prior = ((self.counts + 1) / (images + len(self.counts))).log()
        tail: Tensor = (freedom + width) / 2 * torch.log1p(distances / spread / freedom)
        return prior - tail - width / 2 * spread.log()
