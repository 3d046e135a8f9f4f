"""Batches in a seeded order: the one way from stored images to tensors."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.image_spec import ImageSpec
from deft.training.augment import Augmentation, CropFlip, RandAugment, RandomCrop, centre_crop
from deft.training.once import once, pictures
from deft.training.pixel_store import PixelStore
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


class PixelLoader(Loader):
    """Normalised pixels from a store; random views are made here, in whole batches.

    Args:
        store: Decoded images.
        spec: What the model wants.
        device: Where the batches go.
        weak: Makes the weak view; if not given, DeFT's: a shift, or a crop where the spec has a margin, and a flip.
        strong: Makes the strong view; RandAugment of that if not given.
    """

    def __init__(
        self,
        store: PixelStore,
        spec: ImageSpec,
        device: torch.device,
        *,
        weak: Augmentation | None = None,
        strong: Augmentation | None = None,
    ) -> None:
        self._share = spec.size / spec.kept
        usual = CropFlip() if spec.margin is None else RandomCrop(self._share)
        self._views: dict[str, Augmentation] = {"weak": weak or usual, "strong": strong or RandAugment(weak=usual)}
        self._store = store
        self._spec = spec
        self._device = device
        self._mean = torch.tensor(spec.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(spec.std, device=device).view(1, 3, 1, 1)

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        pixels = self._read(rows)
        if rng is not None and view != "plain":
            pixels = self._views[view].apply(pixels, rng)
        elif self._spec.margin is not None and self._spec.margin.plain == "centre":
            pixels = centre_crop(pixels, self._share)
        return self._normalised(pixels)

    def load_some(self, rows: Rows, places: np.ndarray, rng: np.random.Generator, view: View = "weak") -> Tensor:
        pixels = self._read(rows[places])
        if view != "plain":
            pixels = self._views[view].apply_to_some(pixels, rng, count=len(rows), places=places)
        return self._normalised(pixels)

    def _read(self, rows: Rows) -> Tensor:
        """Return stored pixels, uint8 (B, 3, S, S)."""
        return torch.from_numpy(self._store.read(rows)).to(self._device).permute(0, 3, 1, 2)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Return what the model reads, (B, 3, S, S), of uint8 pixels."""
        images = pixels.float() / 255
        size = self._spec.size
        if images.shape[-1] != size:
            # Smaller photos are stored as they are and enlarged here, as Pillow would; with a margin some are reduced.
            mode = self._spec.interpolation
            images = F.interpolate(images, (size, size), mode=mode, antialias=True).clamp(0, 1)
        return (images - self._mean) / self._std


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
        for start in range(0, len(order), self.batch_size):
            yield self._batch(order[start : start + self.batch_size], rng, views)

    def ordered(self) -> Iterator[Batch]:
        """Yield all samples once, in order and without augmentation: the view that verdicts come from."""
        for start in range(0, len(self.rows), self.batch_size):
            yield self._batch(self.rows[start : start + self.batch_size], None, ("plain",))

    def _batch(self, rows: Rows, rng: np.random.Generator | None, views: Sequence[View]) -> Batch:
        self._latest[0] = rows
        inputs, *more = (self.loader.load(rows, rng, view) for view in views)
        return Batch(
            inputs=inputs,
            labels=torch.from_numpy(self.labels[rows]).to(self.device),
            index=torch.from_numpy(rows).to(self.device),
            more=tuple(more),
        )
