"""From labelled images to what a detector reads: pixels, kept tokens or kept features."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from deft.data.images import LabeledImages
from deft.encoders.base import DualEncoder
from deft.errors import DataError
from deft.training.batches import Batches, PixelLoader
from deft.training.feature_bank import keep_outputs
from deft.training.pixel_store import PixelStore
from deft.training.precision import Precision, resolve_precision
from deft.training.workspace import Workspace
from deft.tuning import Tuning


@dataclass(frozen=True)
class Inputs:
    """What a detector reads.

    Args:
        batches: The images that can be judged, in batches.
        encode: Gives unit features (B, D) of a batch's inputs.
        read_errors: Row to reason, of the images that can't be judged.
        trusted: Whose label a person has confirmed, bool (N,).
    """

    batches: Batches
    encode: Callable[[Tensor], Tensor]
    read_errors: Mapping[int, str]
    trusted: np.ndarray


@dataclass(frozen=True)
class Reading:
    """How inputs are read.

    Args:
        batch_size: Samples per batch.
        seed: Draws order and augmentation.
        precision: Number format of the frozen part.
        views: Views that are kept of each image where an encoder's stem is heavy: the plain one, and crops.
    """

    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"
    views: int = 2


@contextlib.contextmanager
def open_inputs(
    encoder: DualEncoder, tuning: Tuning, images: LabeledImages, workspace: Workspace, reading: Reading
) -> Iterator[Inputs]:
    """Decode the images and compute once whatever the tuning leaves alone.

    With a tuning that leaves the image tower alone, that is every feature; with one that only reaches the
    layers and an encoder with a heavy stem, it is the tokens that enter the first layer.

    Raises:
        DataError: No image can be read, or fewer than two classes have images.
    """
    with workspace.open() as folder:
        store = PixelStore.build(images, encoder.spec, folder, workers=workspace.workers, progress=workspace.progress)
        rows = np.array([row for row in range(len(images)) if row not in store.errors], np.int64)
        if len(np.unique(images.labels[rows])) < 2:
            raise DataError("All readable images have the same label; there is nothing to compare it with.")
        pixels = Batches(
            PixelLoader(store, encoder.spec, encoder.device),
            images.labels,
            rows,
            batch_size=reading.batch_size,
            seed=reading.seed,
            device=encoder.device,
        )
        batches, encode = _precompute(encoder, tuning, pixels, folder, workspace, reading)
        yield Inputs(batches, encode, store.errors, images.trusted)


def _precompute(
    encoder: DualEncoder,
    tuning: Tuning,
    pixels: Batches,
    folder: Path,
    workspace: Workspace,
    reading: Reading,
) -> tuple[Batches, Callable[[Tensor], Tensor]]:
    precision = resolve_precision(reading.precision, encoder.device)

    def keep(function: Callable[[Tensor], Tensor], views: int) -> Batches:
        loader = keep_outputs(function, pixels, folder, views=views, precision=precision, progress=workspace.progress)
        return Batches(
            loader,
            pixels.labels,
            pixels.rows,
            batch_size=pixels.batch_size,
            seed=pixels.seed,
            device=pixels.device,
        )

    if not tuning.changes_images:
        return keep(encoder.encode_images, 1), lambda features: features
    if encoder.heavy_stem and not tuning.changes_stem:
        return keep(encoder.stem, reading.views), encoder.tower
    return pixels, encoder.encode_images
