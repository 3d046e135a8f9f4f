"""Batches in a seeded order: the one way from stored images to tensors."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from deft.training.ahead import sent
from deft.training.once import once, pictures
from deft.training.processes import Processes

Rows = np.ndarray  # int64 row numbers of the data set


View = Literal["plain", "weak", "strong"]
"""A view of an image: as it is, cropped and flipped, or changed beyond that (RandAugment)."""


@dataclass(frozen=True)
class Batch:
    """Some samples: what a model reads, the given labels, and which rows of the data set they are.

    Args:
        inputs: Pixels (B, 3, S, S), tokens (B, L, W) or features (B, D), as the loader gives them.
        labels: Given labels, (B,).
        index: Rows of the data set, (B,).
        more: Further views of the same samples, each as `inputs`.
    """

    inputs: Tensor
    labels: Tensor
    index: Tensor
    more: tuple[Tensor, ...] = ()

    @property
    def views(self) -> tuple[Tensor, ...]:
        """All views that were asked for, in their order."""
        return (self.inputs, *self.more)

    def __len__(self) -> int:
        return len(self.labels)


class Loader(ABC):
    """Reads samples by row."""

    @abstractmethod
    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        """Return the inputs of some rows.

        Args:
            rows: Rows of the data set, (B,).
            rng: Draws the augmentation; None gives the plain view that verdicts are made from.
            view: Which augmentation is drawn.
        """

    def load_some(self, rows: Rows, places: np.ndarray, rng: np.random.Generator, view: View = "weak") -> Tensor:
        """Return the inputs of some rows of a batch, in the views that they get when the whole batch is loaded.

        Args:
            rows: Rows of the data set that are one batch, (B,).
            places: Which of them are wanted, (b,); there may be none.
            rng: Draws the augmentation of the whole batch.
            view: Which augmentation is drawn.
        """
        return self.load(rows, rng, view)[torch.from_numpy(places)]

    def ahead(self, parts: Iterable[Rows]) -> Iterator[tuple[Rows, Loader]]:
        """Yield each batch with a loader of its own, which may have read it while the one before was worked on.

        Args:
            parts: Rows of the batches, (B,) each.
        """
        return ((rows, self) for rows in parts)


class Batches:
    """The readable samples of a data set, in batches.

    The order of epoch e depends on (seed, e) alone, so a resumed run sees what an unbroken one sees. Several processes
    see the same batches, and share what is computed of them (`Processes.share`).

    Args:
        loader: Reads the inputs.
        labels: Given labels of all rows, (N,).
        rows: The rows that take part, (n,).
        batch_size: Samples per batch, over all processes.
        seed: Draws order and augmentation.
        device: Where labels and indices go.
        processes: Those that share the work.
        groups: Number of the group of duplicates of each row, (N,), −1 for none: an epoch has one drawn member of each.
    """

    def __init__(
        self,
        loader: Loader,
        labels: np.ndarray,
        rows: Rows,
        *,
        batch_size: int,
        seed: int,
        device: torch.device,
        processes: Processes | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        self.loader = loader
        self.labels = labels
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.processes = processes or Processes()
        self._stream: tuple[int, ...] = ()
        self._latest = [self.rows[:0]]  # shared with all subsets
        self._group = np.full(len(rows), -1, np.int64) if groups is None else groups[rows]
        self._count = pictures(self._group)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-self._count // self.batch_size)

    def subset(self, rows: Rows, *, batch_size: int | None = None, stream: int = 0) -> Batches:
        """Return some of the samples, in an order of their own.

        Args:
            rows: Rows of the data set; a row may stand there more than once, and there may be none.
            batch_size: Samples per batch; the same as here if None.
            stream: Another number gives another order and other views.
        """
        part = Batches(
            self.loader,
            self.labels,
            np.asarray(rows, np.int64),
            batch_size=self.batch_size if batch_size is None else batch_size,
            seed=self.seed,
            device=self.device,
            processes=self.processes,
        )
        part._stream = (*self._stream, stream)
        part._latest = self._latest
        return part

    def only(self, rows: Rows) -> Batches:
        """Return the same with some of the samples; an epoch still has one of each group of duplicates.

        Args:
            rows: Some of `rows`, rising.
        """
        part = copy.copy(self)
        part._take(np.searchsorted(self.rows, rows))
        return part

    def group(self, groups: np.ndarray) -> None:
        """Take other groups of duplicates from here on.

        Args:
            groups: Number of the group of each row, (N,), −1 for none.
        """
        self._group = groups[self.rows]
        self._count = pictures(self._group)

    def larger(self, batch_size: int, *, most: int) -> Batches:
        """Return the same samples in larger batches, or a drawn part of them.

        Args:
            batch_size: Samples per batch; never fewer than here.
            most: Samples that take part at most.
        """
        part = copy.copy(self)
        part.batch_size = max(batch_size, self.batch_size)
        if len(self.rows) > most:
            drawn = np.sort(np.random.default_rng(self.seed).choice(len(self.rows), most, replace=False))
            part._take(drawn)
        return part

    def _take(self, places: Rows) -> None:
        """Keep the samples at some places."""
        self.rows, self._group = self.rows[places], self._group[places]
        self._count = pictures(self._group)

    @property
    def latest(self) -> Rows:
        """Rows of the batch that was read last, here or in a subset, (B,)."""
        return self._latest[0]

    def epoch(self, epoch: int, *, views: Sequence[View] = ("weak",)) -> Iterator[Batch]:
        """Yield batches in the random order of an epoch.

        Args:
            epoch: Counted from 0.
            views: Which views of each sample are drawn, each anew.
        """
        rng = np.random.default_rng([self.seed, epoch, *self._stream])
        order = self.rows[once(self._group, rng.permutation(len(self.rows)))]
        yield from self._batches(self.loader.ahead(self._parts(order)), rng, views)

    def ordered(self) -> Iterator[Batch]:
        """Yield all samples once, in order and without augmentation: the view that verdicts come from.

        Each batch is read when its turn has come: who only looks gains nothing by what is read ahead (docs/gpu.md).
        """
        yield from self._batches(((rows, self.loader) for rows in self._parts(self.rows)), None, ("plain",))

    def _parts(self, order: Rows) -> Iterator[Rows]:
        return (order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size))

    def _batches(
        self, parts: Iterable[tuple[Rows, Loader]], rng: np.random.Generator | None, views: Sequence[View]
    ) -> Iterator[Batch]:
        for rows, loader in parts:
            self._latest[0] = rows
            inputs, *more = (loader.load(rows, rng, view) for view in views)
            yield Batch(
                inputs=inputs,
                labels=sent(torch.from_numpy(self.labels[rows]), self.device),
                index=sent(torch.from_numpy(rows), self.device),
                more=tuple(more),
            )
