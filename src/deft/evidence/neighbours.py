"""The labels of the nearest labelled images, copies of an image aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

NEIGHBOURS, LOOKED_UP = 20, 40  # that vote; that are looked up, so that enough are left where some may not
NEARNESS = 0.05  # by how much smaller a cosine a neighbour counts 1/e of the nearest
COPY = 0.999  # cosine from which two images count as one
AT_ONCE = 1024  # images compared at a time


@dataclass(frozen=True)
class Near:
    """The labelled images nearest to some images, copies aside.

    Args:
        at: Their places among the labelled images, the nearest first, (N, M).
        cosines: How near they are, −2 for none, (N, M).
        copies: How many labelled images are copies of each image, (N,).
        first: Place of the first copy, −1 for none, (N,).
    """

    at: Tensor
    cosines: Tensor
    copies: Tensor
    first: Tensor

    def __getitem__(self, rows: Tensor) -> Near:
        """Return that of some of the images."""
        return Near(self.at[rows], self.cosines[rows], self.copies[rows], self.first[rows])


@dataclass(frozen=True)
class Neighbours:
    """Labelled images in a space of centred directions.

    Args:
        center: Mean of the features, float32, (P,).
        scale: Their standard deviation, float32, (P,).
        directions: Unit vectors of the labelled images, float32, (R, P).
        labels: Their given labels, (R,).
        classes: Number of classes K.

    Example:
        >>> features = torch.tensor([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]])
        >>> near = Neighbours.fit(features, torch.tensor([0, 0, 1, 1]), classes=2)
        >>> near.compare(torch.tensor([[0.05, 1.0]]), torch.tensor([0]))[0].argmax(dim=1)
        tensor([0])
    """

    center: Tensor
    scale: Tensor
    directions: Tensor
    labels: Tensor
    classes: int

    @classmethod
    def fit(cls, features: Tensor, labels: Tensor, *, classes: int) -> Neighbours:
        """Return the neighbourhood of labelled images.

        Args:
            features: (R, P).
            labels: Their given labels, (R,).
            classes: Number of classes K.
        """
        features = features.detach().float()
        center, scale = features.mean(dim=0), features.std(dim=0, unbiased=False)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return cls(center, scale, F.normalize((features - center) / scale, dim=1), labels, classes)

    def copies(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return which labelled images are copies of each one with its label, itself included, bool (N, R).

        Args:
            features: (N, P).
            labels: Given labels, (N,).
        """
        return self._copies(self._cosines(features), labels)

    def compare(
        self, features: Tensor, labels: Tensor, kin: Mapping[int, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return log-shares of each class among the neighbours, (N, K), and how many copies each image has, (N,).

        Source: the weighted k-nearest-neighbour rule (Dudani 1976). An image itself and its copies with the same label
        don't count: a label vouches for itself in neither. One vote is spread as all labels are, so no class has none.

        Args:
            features: (N, P).
            labels: Given labels, (N,).
            kin: By image, the labelled images that show the same picture though they are no copies, as frames of one
                film do: places among the labelled images. They count as copies.
        """
        near = self.near(features, labels, kin)
        return self.shares(near), near.copies

    def near(self, features: Tensor, labels: Tensor, kin: Mapping[int, Tensor] | None = None) -> Near:
        """Return the nearest labelled images of each image, itself and its copies with the same label aside.

        Args:
            features: (N, P).
            labels: Given labels, (N,).
            kin: As `compare` takes it.
        """
        parts: list[Near] = []
        for start in range(0, len(features), AT_ONCE):
            some, own = features[start : start + AT_ONCE], labels[start : start + AT_ONCE]
            cosines = self._cosines(some)
            same = self._copies(cosines, own)
            for row, places in (kin or {}).items():
                if 0 <= row - start < len(some):
                    same[row - start, places] = True
            copies = same.sum(dim=1)
            first = torch.where(copies > 0, same.int().argmax(dim=1), -1)
            cosines, at = cosines.masked_fill(same, -2.0).topk(min(LOOKED_UP, len(self.labels)), dim=1)
            parts.append(Near(at, cosines, copies, first))
        return Near(
            *(torch.cat([getattr(part, name) for part in parts]) for name in ("at", "cosines", "copies", "first"))
        )

    def shares(self, near: Near, likely: Tensor | None = None, shares: Tensor | None = None) -> Tensor:
        """Return log-shares of each class among the nearest labelled images, (N, K).

        Args:
            near: What `near` gave.
            likely: Classes that each labelled image may be of, (R, T); its given label if None.
            shares: How much it counts for each of them, (R, T); an image whose shares are all nought doesn't vote.
        """
        if likely is None or shares is None:
            likely, shares = self.labels[:, None], torch.ones(len(self.labels), 1)
        votes_of = shares.sum(dim=1)
        cosines = near.cosines.masked_fill(votes_of[near.at] <= 0, -2.0)
        cosines, order = cosines.topk(min(NEIGHBOURS, cosines.shape[1]), dim=1)
        at = near.at.gather(1, order)
        weights = ((cosines - cosines[:, :1]) / NEARNESS).exp() * (cosines > -2.0)
        votes = weights.new_zeros(len(at), self.classes)
        votes.scatter_add_(1, likely[at].flatten(1), (weights[:, :, None] * shares[at]).flatten(1))
        common = weights.new_zeros(self.classes).scatter_add_(0, likely.flatten(), shares.flatten())
        common = common / common.sum().clamp(min=1)
        return ((votes + common) / (votes.sum(dim=1, keepdim=True) + 1)).clamp(min=1e-6).log()

    def _cosines(self, features: Tensor) -> Tensor:
        return F.normalize((features.float() - self.center) / self.scale, dim=1) @ self.directions.T

    def _copies(self, cosines: Tensor, labels: Tensor) -> Tensor:
        same: Tensor = (cosines >= COPY) & (labels[:, None] == self.labels[None, :])
        return same
