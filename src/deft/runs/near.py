"""Which images lie nearest to a suspect, and which are typical of a class, in the features that judged them.

Up to 200 000 images every suspect is compared with every image, a block at a time, so that no N x N is ever held.
Beyond, an index names the likely ones where one is installed, and those are compared.
Shapes: N images, P width of the features, n images asked about, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deft.runs.disk_rows import DiskRows
from deft.runs.near_index import NearIndex
from deft.shown import short_repr

NEAREST = 5
TYPICAL = 4  # one more than is shown, for one of them may be the suspect itself
BLOCK = 4096  # images compared at a time
LEAST_SPREAD = 1e-6
EXACT_UP_TO = 200_000  # images among which neighbours are looked up one by one
WORTH_AN_INDEX = 1000  # images asked about at once; for fewer, comparing with all is faster than building
LIKELY = 8  # images that an index names for each one wanted, for it is less exact than the comparison after it
ASKED = 512  # images asked about at a time, of an index


@dataclass(frozen=True)
class Near:
    """The nearest images of some images, and typical images of every class.

    Args:
        neighbours: Rows of the nearest images, nearest first, int64 (N, 5); −1 for none, and where nobody looked.
        similarity: Their cosines, float32 (N, 5), NaN for none.
        typical: Rows of the images nearest to the middle of each class, int64 (K, 4); −1 for none.
    """

    neighbours: np.ndarray
    similarity: np.ndarray
    typical: np.ndarray

    __repr__ = short_repr


@dataclass(frozen=True)
class Space:
    """Images as directions: features less their mean, over their standard deviation, of length one.

    Args:
        features: (N, P); NaN where an image has none.
        usable: Which images may stand as neighbours, bool (N,).
        groups: Number of each image's group of duplicates, int64 (N,), −1 for none: a copy is no neighbour.
        center: Mean over the usable images, (P,).
        scale: Their standard deviation, (P,).

    Example:
        >>> features = DiskRows.of(np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]], np.float32))
        >>> space = Space.of(features, np.ones(4, bool), np.full(4, -1))
        >>> space.nearest(np.array([0]), count=1)[0]
        array([[1]])
    """

    features: DiskRows
    usable: np.ndarray
    groups: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: DiskRows, usable: np.ndarray, groups: np.ndarray) -> Space:
        """Return the space of some features, standardised over the usable images.

        Args:
            features: (N, P).
            usable: bool (N,).
            groups: int64 (N,).
        """
        width = features.values.shape[1]
        total, squares = np.zeros(width), np.zeros(width)
        rows = np.flatnonzero(usable)
        for start in range(0, len(rows), BLOCK):
            some = features.take(rows[start : start + BLOCK]).astype(np.float64)
            total += some.sum(axis=0)
            squares += np.square(some).sum(axis=0)
        center = total / max(len(rows), 1)
        spread = np.sqrt(np.maximum(squares / max(len(rows), 1) - center**2, 0))
        scale = np.where(spread > LEAST_SPREAD, spread, 1.0)
        return cls(features, usable, groups, center.astype(np.float32), scale.astype(np.float32))

    @cached_property
    def _lengths(self) -> np.ndarray:
        """How far each image lies from the middle in standardised features, (N,)."""
        lengths = np.ones(len(self.features), np.float32)
        rows = np.flatnonzero(self.usable)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            standard = (self.features.take(block) - self.center) / self.scale
            lengths[block] = np.maximum(np.linalg.norm(standard, axis=1), 1e-12)
        return lengths

    def directions(self, rows: np.ndarray) -> np.ndarray:
        """Return unit vectors of some images, float32 (n, P).

        Args:
            rows: Their numbers, (n,).
        """
        standard = (self.features.take(rows) - self.center) / self.scale
        lengths = np.linalg.norm(standard, axis=1, keepdims=True)
        unit: np.ndarray = standard / np.maximum(lengths, 1e-12)
        return unit

    def nearest(self, rows: np.ndarray, *, count: int = NEAREST) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest usable images of some images, themselves and their duplicates aside.

        They are the nearest of all up to `EXACT_UP_TO` usable images; beyond, where faiss is installed and at least
        `WORTH_AN_INDEX` images are asked about, those that an index finds (about 98 of 100). Their cosines are exact.

        Args:
            rows: Numbers of the images, (n,).
            count: How many of each.

        Returns:
            Their rows, int64 (n, count), −1 for none, and their cosines, float32 (n, count), NaN for none.
        """
        others = np.flatnonzero(self.usable)
        if len(others) > EXACT_UP_TO and len(rows) >= WORTH_AN_INDEX:
            index = NearIndex.of(self.directions, others)
            if index is not None:
                return self._named(index, rows, count)
        return self._compared(others, rows, count)

    def _named(self, index: NearIndex, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest of those that an index names; of all, for images to which it names too few."""
        places = np.full((len(rows), count), -1, np.int64)
        cosines = np.full((len(rows), count), np.nan, np.float32)
        for start in range(0, len(rows), ASKED):
            some = rows[start : start + ASKED]
            asked = self.directions(some)
            likely = index.candidates(asked, LIKELY * count)
            known = self.directions(likely.ravel()).reshape(*likely.shape, -1)
            found = np.einsum("np,ncp->nc", asked, known)
            own = self.groups[some, None]
            found[(likely < 0) | (likely == some[:, None]) | ((own >= 0) & (own == self.groups[likely]))] = -np.inf
            places[start : start + ASKED], cosines[start : start + ASKED] = _best(likely, found, count)
        few = ~np.isfinite(cosines).all(axis=1)  # a photo with dozens of copies
        if few.any():
            places[few], cosines[few] = self._compared(index.rows, rows[few], count)
        return places, cosines

    def _compared(self, others: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest of all others, each compared."""
        asked = self.directions(rows)
        places = np.full((len(rows), count), -1, np.int64)
        cosines = np.full((len(rows), count), -np.inf, np.float32)
        weights, offset = (asked / self.scale).T, asked @ (self.center / self.scale)
        own = self.groups[rows]
        for start in range(0, len(others), BLOCK):
            block = others[start : start + BLOCK]
            known = self.features.take(block)
            for first in range(0, len(rows), BLOCK):
                part = slice(first, first + BLOCK)
                found = ((known @ weights[:, part] - offset[part]) / self._lengths[block][:, None]).T
                found[rows[part, None] == block] = -np.inf
                found[(own[part, None] == self.groups[block]) & (own[part, None] >= 0)] = -np.inf
                both = np.concatenate([cosines[part], found], axis=1)
                named = np.concatenate([places[part], np.broadcast_to(block, found.shape)], axis=1)
                places[part], cosines[part] = _best(named, both, count)
        gone = ~np.isfinite(cosines)
        return np.where(gone, -1, places), np.where(gone, np.nan, cosines)

    def typical(self, labels: np.ndarray, classes: int, *, count: int = TYPICAL) -> np.ndarray:
        """Return the usable images nearest to the mean direction of their class, int64 (K, count); −1 for none.

        Of images that show one picture, the nearest stands for all.

        Args:
            labels: Label of each image, (N,).
            classes: Number of classes K.
            count: How many of each class.
        """
        rows = np.flatnonzero(self.usable & (labels >= 0))
        middles = np.zeros((classes, len(self.center)), np.float32)
        blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        for block in blocks:
            np.add.at(middles, labels[block], self.directions(block))
        middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
        fits = [np.einsum("np,np->n", self.directions(block), middles[labels[block]]) for block in blocks]
        scored = np.concatenate(fits) if fits else np.zeros(0, np.float32)
        found = np.full((classes, count), -1, np.int64)
        order = np.lexsort((rows, -scored, labels[rows]))
        ordered = rows[order]
        ordered = ordered[_first_of_each(labels[ordered], self.groups[ordered])]
        firsts = np.searchsorted(labels[ordered], np.arange(classes + 1))
        for label in range(classes):
            best = ordered[firsts[label] : firsts[label + 1]][:count]
            found[label, : len(best)] = best
        return found


def _first_of_each(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return which rows are the first of their label and group, bool (n,); a row of no group (−1) is one by itself."""
    alone = np.where(groups < 0, -1 - np.arange(len(groups)), groups)
    firsts = np.zeros(len(groups), bool)
    firsts[np.unique(np.stack([labels, alone]), axis=1, return_index=True)[1]] = True
    return firsts


def _best(rows: np.ndarray, cosines: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns with the largest cosines, best first, and earlier rows first where they tie."""
    if cosines.shape[1] > 4 * count:
        top = np.argpartition(-cosines, 4 * count, axis=1)[:, : 4 * count]
        rows, cosines = np.take_along_axis(rows, top, axis=1), np.take_along_axis(cosines, top, axis=1)
    order = np.lexsort((rows, -cosines), axis=1)[:, :count]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1)
