"""Batches of pixels: read from a store, changed at random and normalised, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.image_spec import ImageSpec
from deft.training.ahead import one_ahead, sent
from deft.training.augment import Augmentation, CropFlip, RandAugment, RandomCrop, centre_crop
from deft.training.batches import Loader, Rows, View
from deft.training.pixel_store import PixelStore


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
        return self.view(self._sent(self._read(rows)), rng, view)

    def ahead(self, parts: Iterable[Rows]) -> Iterator[tuple[Rows, Loader]]:
        read = one_ahead(parts, self._read) if self._waits else ((rows, self._read(rows)) for rows in parts)
        return ((rows, _AtHand(self, self._sent(stored))) for rows, stored in read)

    def view(self, pixels: Tensor, rng: np.random.Generator | None, view: View) -> Tensor:
        """Return a view of stored pixels as the model reads it, (B, 3, S, S).

        Args:
            pixels: As they are stored, uint8 (B, 3, S, S), on the device.
            rng: Draws the augmentation; None gives the plain view.
            view: Which augmentation is drawn.
        """
        if rng is not None and view != "plain":
            pixels = self._views[view].apply(pixels, rng)
        elif self._spec.margin is not None and self._spec.margin.plain == "centre":
            pixels = centre_crop(pixels, self._share)
        return self._normalised(pixels)

    def load_some(self, rows: Rows, places: np.ndarray, rng: np.random.Generator, view: View = "weak") -> Tensor:
        pixels = self._sent(self._read(rows[places]))
        if view != "plain":
            pixels = self._views[view].apply_to_some(pixels, rng, count=len(rows), places=places)
        return self._normalised(pixels)

    @property
    def _waits(self) -> bool:
        """Whether the device would wait for what is read; a processor reads and computes with the same cores."""
        return self._device.type != "cpu"

    def _read(self, rows: Rows) -> Tensor:
        """Return stored pixels, uint8 (B, S, S, 3), where a card can fetch them by itself."""
        if self._device.type != "cuda":
            return torch.from_numpy(self._store.read(rows))
        side = self._store.side
        stored = torch.empty(len(rows), side, side, 3, dtype=torch.uint8, pin_memory=True)
        self._store.read(rows, into=stored.numpy())
        return stored

    def _sent(self, stored: Tensor) -> Tensor:
        """Return what `_read` gave on the device, uint8 (B, 3, S, S)."""
        return sent(stored, self._device).permute(0, 3, 1, 2)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Return what the model reads, (B, 3, S, S), of uint8 pixels."""
        images = pixels.float() / 255
        size = self._spec.size
        if images.shape[-1] != size:
            # Smaller photos are stored as they are and enlarged here, as Pillow would; with a margin some are reduced.
            mode = self._spec.interpolation
            images = F.interpolate(images, (size, size), mode=mode, antialias=True).clamp(0, 1)
        return (images - self._mean) / self._std


class _AtHand(Loader):
    """One batch of a `PixelLoader` whose pixels are on the device."""

    def __init__(self, loader: PixelLoader, pixels: Tensor) -> None:
        self._loader = loader
        self._pixels = pixels

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return self._loader.view(self._pixels, rng, view)
