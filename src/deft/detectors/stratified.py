"""The part of the images that a detector learns from, where it judges more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deft.arguments import checked
from deft.errors import SettingsError
from deft.evidence.folds import content_keys


@checked
@dataclass(frozen=True)
class Stratified:
    """How many images are learned from, drawn class by class by what they show; the others are only judged.

    Each class is drawn from by its share of the images, and of a small one a few are taken anyway. Images whose label
    a person has confirmed are always learned from.

    Args:
        images: How many; None for all.
        each: How many of each class at least, where it has so many; all of these are taken, even if they are more than
            `images`.

    Raises:
        SettingsError: A number is too small.

    Example:
        >>> DeFT(encoder, learn_from=Stratified(50_000))  # doctest: +SKIP
    """

    images: int | None = None
    each: int = 5

    def __post_init__(self) -> None:
        if self.images is not None and self.images < 2:
            raise SettingsError(f"A sample to learn from has at least 2 images, not {self.images}.")
        if self.each < 1:
            raise SettingsError(f"A sample to learn from has at least 1 image of each class, not {self.each}.")

    def draw(
        self, rows: np.ndarray, labels: np.ndarray, content: Sequence[str], trusted: np.ndarray, seed: int
    ) -> np.ndarray:
        """Return the rows that are learned from, rising.

        Args:
            rows: Those that there are to draw from, int64 (n,).
            labels: Given labels of all rows, (N,).
            content: Name of each image's content (`LabeledImages.content_id`), (N,).
            trusted: Mask of labels that a person has confirmed, bool (N,).
            seed: Draws.
        """
        if self.images is None or self.images >= len(rows):
            return rows
        lots = content_keys([f"{seed}:{content[row]}" for row in rows.tolist()])
        order = np.lexsort((lots, ~trusted[rows], labels[rows]))
        classes = labels[rows][order]
        rank = np.arange(len(order)) - np.searchsorted(classes, classes)  # in its class
        place = (rank + 0.5) / np.bincount(classes)[classes]
        needed = (rank < self.each) | trusted[rows][order]
        place[needed] = 0
        first = np.lexsort((lots[order], place))[: max(self.images, int(needed.sum()))]
        drawn: np.ndarray = np.sort(rows[order[first]])
        return drawn
