"""Batches in a seeded order: the one way from stored images to tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.pixels import PixelStore
from deft.data.spec import ImageSpec

Rows = np.ndarray  # int64 row numbers of the data set


@dataclass(frozen=True)
class Batch:
    """Some samples: what a model reads, the given labels, and which rows of the data set they are.

    Args:
        inputs: Pixels (B, 3, S, S), tokens (B, L, W) or features (B, D), as the loader gives them.
        labels: Given labels, (B,).
        index: Rows of the data set, (B,).
    """

    inputs: Tensor
    labels: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Loader(ABC):
    """Reads samples by row."""

    @abstractmethod
    def load(self, rows: Rows, rng: np.random.Generator | None) -> Tensor:
        """Inputs of some rows.

        Args:
            rows: Rows of the data set, (B,).
            rng: Draws the augmentation; None gives the plain view that verdicts are made from.
        """


class PixelLoader(Loader):
    """Normalised pixels from a store; random crops and flips happen here, in whole batches.

    The crop is DeFT's for CIFAR: shift by up to an eighth of the side, then flip half of the images. It pads by
    reflection, since black borders are foreign to photos of full size.

    Args:
        store: Decoded images.
        spec: What the model wants.
        device: Where the batches go.
    """

    def __init__(self, store: PixelStore, spec: ImageSpec, device: torch.device) -> None:
        self._store = store
        self._spec = spec
        self._device = device
        self._mean = torch.tensor(spec.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(spec.std, device=device).view(1, 3, 1, 1)

    def load(self, rows: Rows, rng: np.random.Generator | None) -> Tensor:
        pixels = torch.from_numpy(self._store.read(rows)).to(self._device)
        pixels = pixels.permute(0, 3, 1, 2)
        if rng is not None:
            pixels = crop_and_flip(pixels, rng)
        images = pixels.float() / 255
        size = self._spec.size
        if images.shape[-1] != size:
            # Photos smaller than the model's side are stored as they are and enlarged here, as Pillow would.
            mode = self._spec.interpolation
            images = F.interpolate(images, (size, size), mode=mode, antialias=True).clamp(0, 1)
        return (images - self._mean) / self._std


def crop_and_flip(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side, and mirror half of them.

    Args:
        pixels: (B, 3, S, S).
        rng: Draws shifts and mirrors.

    Returns:
        (B, 3, S, S).
    """
    count, _, side, _ = pixels.shape
    reach = side // 8
    down, right = torch.from_numpy(rng.integers(-reach, reach + 1, size=(2, count)))
    mirror = torch.from_numpy(rng.random(count) < 0.5)
    lines = _reflect(torch.arange(side) + down[:, None], side)
    columns = _reflect(torch.arange(side) + right[:, None], side)
    columns = torch.where(mirror[:, None], columns.flip(1), columns).to(pixels.device)
    image = torch.arange(count, device=pixels.device).view(-1, 1, 1)
    picked = pixels.permute(0, 2, 3, 1)[image, lines.to(pixels.device)[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def _reflect(places: Tensor, side: int) -> Tensor:
    """Places outside 0 … side − 1 mirrored back inside."""
    if side == 1:
        return torch.zeros_like(places)
    places = places.abs()
    return torch.where(places >= side, 2 * (side - 1) - places, places)


class Batches:
    """The readable samples of a data set, in batches.

    The order of epoch e depends on (seed, e) alone, so a resumed run sees what an unbroken one sees.

    Args:
        loader: Reads the inputs.
        labels: Given labels of all rows, (N,).
        rows: The rows that take part, (n,).
        batch_size: Samples per batch.
        seed: Draws order and augmentation.
        device: Where labels and indices go.
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
    ) -> None:
        self.loader = loader
        self.labels = labels
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.device = device

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Augmented batches in the random order of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.rows)
        for start in range(0, len(order), self.batch_size):
            yield self._batch(order[start : start + self.batch_size], rng)

    def ordered(self) -> Iterator[Batch]:
        """All samples once, in order and without augmentation: the view that verdicts come from."""
        for start in range(0, len(self.rows), self.batch_size):
            yield self._batch(self.rows[start : start + self.batch_size], None)

    def _batch(self, rows: Rows, rng: np.random.Generator | None) -> Batch:
        return Batch(
            inputs=self.loader.load(rows, rng),
            labels=torch.from_numpy(self.labels[rows]).to(self.device),
            index=torch.from_numpy(rows).to(self.device),
        )
