"""The labels of the nearest labelled images, copies of an image aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

NEIGHBOURS = 20
NEARNESS = 0.05  # by how much smaller a cosine a neighbour counts 1/e of the nearest
COPY = 0.999  # cosine from which two images count as one
AT_ONCE = 1024  # images compared at a time


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
        shares, copies = [], []
        common = torch.bincount(self.labels, minlength=self.classes).float() / max(len(self.labels), 1)
        for start in range(0, len(features), AT_ONCE):
            some, own = features[start : start + AT_ONCE], labels[start : start + AT_ONCE]
            cosines = self._cosines(some)
            same = self._copies(cosines, own)
            for row, places in (kin or {}).items():
                if 0 <= row - start < len(some):
                    same[row - start, places] = True
            copies.append(same.sum(dim=1))
            near, at = cosines.masked_fill(same, -2.0).topk(min(NEIGHBOURS, len(self.labels)), dim=1)
            weights = ((near - near[:, :1]) / NEARNESS).exp() * (near > -2.0)
            votes = weights.new_zeros(len(some), self.classes).scatter_add_(1, self.labels[at], weights)
            shares.append(((votes + common) / (votes.sum(dim=1, keepdim=True) + 1)).clamp(min=1e-6).log())
        return torch.cat(shares), torch.cat(copies)

    def _cosines(self, features: Tensor) -> Tensor:
        return F.normalize((features.float() - self.center) / self.scale, dim=1) @ self.directions.T

    def _copies(self, cosines: Tensor, labels: Tensor) -> Tensor:
        same: Tensor = (cosines >= COPY) & (labels[:, None] == self.labels[None, :])
        return same
