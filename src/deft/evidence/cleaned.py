"""What labelled images say once their labels are doubted: of each, the classes that it is likely to be of count.

A discriminant or neighbours that take labels as they are lean towards the wrong ones, most of all where those of a
class fall on one other. Here each label is replaced by the probability of each class, found from everything that is
known. No label may vouch for itself by way of what it told others, so that is done anew for each fold of images, from
the labels of all other folds (cross-fitting).

Shapes: R labelled images (references), N images that are scored, P width of the features, K classes, T likely classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from deft.evidence.discriminant import Discriminant
from deft.evidence.neighbours import Near, Neighbours

FOLDS = 5
LIKELY = 5  # classes that each image counts for; the rest of its probability is spread on them


@dataclass(frozen=True)
class Cleaned:
    """Likely classes of the references, once for each fold that is left out, and once for images of no fold.

    Args:
        references: Pooled features, (R, P).
        fold: Which fold each is in, copies in the same one, (R,).
        likely: Classes that each is likely to be of, (FOLDS + 1, R, T).
        shares: How likely, float16, (FOLDS + 1, R, T); nought for the references of the fold that is left out.
        shrinkage: Shrinkage of the discriminants.
        classes: Number of classes K.
    """

    references: Tensor
    fold: Tensor
    likely: Tensor
    shares: Tensor
    shrinkage: float
    classes: int

    @cached_property
    def discriminants(self) -> Mapping[int, Discriminant]:
        """Those of likely classes by the fold that is left out, none where nothing is left; `FOLDS` is that of all."""
        parts = range(FOLDS + 1)
        return {left_out: self._discriminant(left_out) for left_out in parts if bool((self.fold != left_out).any())}

    def _discriminant(self, left_out: int) -> Discriminant:
        kept = self.fold != left_out
        features, likely = self.references[kept].float(), self.likely[left_out][kept]
        shares = self.shares[left_out][kept].float()
        return Discriminant.fit(features, likely, classes=self.classes, shrinkage=self.shrinkage, shares=shares)

    def experts(self, pooled: Tensor, near: Near, neighbours: Neighbours) -> list[Tensor]:
        """Return the scores of the discriminant and the log-shares of the neighbours, (N, K) each.

        Where all references are of the fold that an image is judged without, they say nothing of it: all scores are 0.

        Args:
            pooled: Features of the images, (N, P).
            near: Their nearest references; whoever has copies among the references is judged without their fold.
            neighbours: The neighbourhood of the references.
        """
        scores, votes = (pooled.new_zeros(len(pooled), self.classes) for _ in range(2))
        left_out = torch.where(near.first >= 0, self.fold[near.first.clamp(min=0)], FOLDS)
        for fold in left_out.unique().tolist():
            if fold not in self.discriminants:
                continue
            rows = left_out == fold
            scores[rows] = self.discriminants[fold].scores(pooled[rows])
            votes[rows] = neighbours.shares(near[rows], self.likely[fold], self.shares[fold].float())
        return [scores, votes]

    def tensors(self) -> dict[str, Tensor]:
        """Return what `from_tensors` needs besides the references."""
        return {"fold": self.fold, "likely": self.likely.int(), "likely_shares": self.shares}

    @classmethod
    def from_tensors(
        cls, kept: Mapping[str, Tensor], references: Tensor, shrinkage: float, classes: int
    ) -> Cleaned | None:
        """Return what `tensors` gave, None if there is nothing.

        Args:
            kept: Named tensors.
            references: Pooled features, (R, P).
            shrinkage: Shrinkage of the discriminants.
            classes: Number of classes K.

        Raises:
            ValueError: They don't belong to these references.
        """
        if "likely" not in kept:
            return None
        likely, shares = kept["likely"].long(), kept["likely_shares"]
        if likely.shape != shares.shape or likely.shape[:2] != (FOLDS + 1, len(references)) or likely.max() >= classes:
            raise ValueError("not of these references")
        return cls(references, kept["fold"], likely, shares, shrinkage, classes)


@dataclass(frozen=True)
class Doubted:
    """The references whose labels are doubted, and what is known of them besides the references themselves.

    Args:
        places: Their places among the references, (N,).
        known: log P(class, label | image) up to a constant by all other experts and the labels' noise, (N, K).
        weights: How much the discriminant and the neighbours count.
    """

    places: Tensor
    known: Tensor
    weights: tuple[float, float]


def clean(
    references: Tensor, drawn: Tensor, near: Near, neighbours: Neighbours, shrinkage: float, doubted: Doubted
) -> Cleaned:
    """Return the likely classes of the references; those that aren't doubted count for their given label.

    Args:
        references: Pooled features, (R, P).
        drawn: Which fold each is drawn to, by what it shows, so that the order of rows doesn't matter, (R,).
        near: The nearest references of the references, (R, M).
        neighbours: Their neighbourhood.
        shrinkage: Shrinkage of the discriminants.
        doubted: Whose labels are doubted.
    """
    count, classes, labels = len(references), neighbours.classes, neighbours.labels
    fold = drawn[_first_of_all(near.first)]
    width = min(LIKELY, classes)
    likely = labels[:, None].expand(count, width).repeat(FOLDS + 1, 1, 1)
    shares = torch.zeros(FOLDS + 1, count, width, dtype=torch.float16)
    features = references.float()
    for left_out in range(FOLDS + 1):
        kept = fold != left_out
        if not bool(kept.any()):
            continue
        shares[left_out, kept, 0] = 1
        some = kept[doubted.places]
        places = doubted.places[some]
        fitted = Discriminant.fit(features[kept], labels[kept], classes=classes, shrinkage=shrinkage)
        scores = fitted.scores(features[places], labels[places], near.copies[places])
        votes = neighbours.shares(near[places], labels[:, None], kept[:, None].float())
        by_discriminant, by_neighbours = doubted.weights
        known = doubted.known[some] + by_discriminant * scores.log_softmax(dim=1)
        probs, best = (known + by_neighbours * votes.log_softmax(dim=1)).softmax(dim=1).topk(width, dim=1)
        likely[left_out, places] = best
        shares[left_out, places] = (probs / probs.sum(dim=1, keepdim=True)).half()
    return Cleaned(references, fold, likely, shares, shrinkage, classes)


def _first_of_all(first: Tensor) -> Tensor:
    """Return the place of the first of each chain of copies, (R,)."""
    root = torch.where(first >= 0, first, torch.arange(len(first)))
    while not torch.equal(root, root[root]):
        root = root[root]
    return root
