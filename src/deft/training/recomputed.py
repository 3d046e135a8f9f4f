"""Outputs of a frozen part that the disk has no room for: computed anew, of the same views as those that are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deft.training.batches import Loader, Rows, View
from deft.training.finite import check_numbers


class Recomputed:
    """The images whose outputs aren't kept, with what it takes to draw their views again.

    A view is drawn for a chunk of images at a time, so the state of the generator before each chunk is remembered: the
    views, and so the verdicts, are the same however much is kept.

    Args:
        compute: Gives outputs (B, ...) of pixels (B, 3, S, S), on the CPU in float32.
        loader: Reads the pixels.
        chunks: The rows of the images that take part, chunk by chunk.
        kept: How many of the first chunks are kept.
        rows: Number of rows N of the data set.

    Attributes:
        first: Number of the first chunk that isn't kept.
        kept: Number of images that are.
        place: Place of each row among the kept outputs, (N,), −1 for those that aren't kept.
    """

    def __init__(
        self, compute: Callable[[Tensor], Tensor], loader: Loader, chunks: list[Rows], *, kept: int, rows: int
    ) -> None:
        self._compute, self._loader, self._chunks = compute, loader, chunks
        self._chunk, self._offset = np.full(rows, -1), np.full(rows, -1)
        for number, chunk in enumerate(chunks):
            self._chunk[chunk], self._offset[chunk] = number, np.arange(len(chunk))
        known = np.concatenate([chunks[0][:0], *chunks[:kept]])
        self.first, self.kept = kept, len(known)
        self.place = np.full(rows, -1)
        self.place[known] = np.arange(len(known))
        self._kinds: dict[int, View] = {}
        self._states: dict[tuple[int, int], Any] = {}

    def pass_over(self, view: int, kind: View, chunk: int, rng: np.random.Generator) -> None:
        """Draw the view of a chunk without computing anything, and remember how it is drawn again.

        Args:
            view: Number of the view, 1 or more: the plain one isn't drawn.
            kind: Which augmentation it is.
            chunk: Number of the chunk.
            rng: Draws it.
        """
        self._kinds[view] = kind
        self._states[view, chunk] = rng.bit_generator.state
        self._loader.load_some(self._chunks[chunk], np.empty(0, np.int64), rng, kind)

    def outputs(self, rows: Rows, views: np.ndarray) -> Tensor:
        """Return the outputs of some rows in some views, (B, ...), in float16, as they would be kept.

        Args:
            rows: Rows that aren't kept, (B,).
            views: The view of each, (B,).
        """
        pixels: list[Tensor] = []
        order: list[np.ndarray] = []
        chunks = np.where(views == 0, -1, self._chunk[rows])
        for view, chunk in np.unique(np.stack([views, chunks]), axis=1).T.tolist():
            mine = np.flatnonzero((views == view) & (chunks == chunk))
            pixels.append(self._pixels(rows[mine], view, chunk))
            order.append(mine)
        back = torch.from_numpy(np.argsort(np.concatenate(order)))
        return as_kept(self._compute(torch.cat(pixels)[back.to(pixels[0].device)]), rows, half=True)

    def _pixels(self, rows: Rows, view: int, chunk: int) -> Tensor:
        if view == 0:
            return self._loader.load(rows, None)
        rng = np.random.default_rng()
        rng.bit_generator.state = self._states[view, chunk]
        return self._loader.load_some(self._chunks[chunk], self._offset[rows], rng, self._kinds[view])


def as_kept(outputs: Tensor, rows: Rows, *, half: bool) -> Tensor:
    """Return outputs in the format in which they are kept.

    Args:
        outputs: (B, ...), on the CPU.
        rows: The rows that they are of, (B,).
        half: Whether that is float16.

    Raises:
        NotFinite: An output isn't, in this format.
    """
    found = outputs.half() if half else outputs
    check_numbers(found, rows, "The features of the model")
    return found
