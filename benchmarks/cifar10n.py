"""The frozen part of `tiny` over train and test photos, computed once for all methods of a benchmark.

Views are drawn once and kept: V weak and S strong ones for each training photo, of which a method draws one at a time.
So what is compared is how methods learn; how many views of a photo there are is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.encoders.base import DualEncoder
from deft.progress import Silent
from deft.training.batches import Batches, PixelLoader
from deft.training.checkpoint import encoder_fingerprint
from deft.training.feature_bank import BankLoader, keep_outputs
from deft.training.pixel_store import PixelStore
from deft.training.precision import resolve_precision

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Photos:
    """A sample of CIFAR-10N, and the test photos.

    Args:
        train: Training photos with the true labels as clean ones.
        test: Test photos.
    """

    train: LabeledImages
    test: LabeledImages


def read_photos(data: Path, *, start: int, count: int, test: int) -> Photos:
    """Rows `start` to `start + count` of CIFAR-10N with its human labels, and the first test photos of CIFAR-10."""
    train = load_images(data / "cifar10n-train.parquet", label_column="label_human", clean_column="label_true")
    unseen = load_images(data / "cifar10-test.parquet", label_column="label_true")
    return Photos(train.keep(np.arange(start, start + count)), unseen.keep(np.arange(test)))


def kept_tokens(encoder: DualEncoder, images: LabeledImages, file: Path, *, weak: int, strong: int) -> BankLoader:
    """The tokens that enter the encoder's first layer, from a file if it is there.

    Args:
        encoder: The frozen model.
        images: The photos.
        file: Where the views are kept, (V, N, L, W) float16; the model's fingerprint is added to its name.
        weak: Weak views, the first of them plain.
        strong: Strong views.
    """
    file = file.with_stem(f"{file.stem}-{encoder_fingerprint(encoder)[:8]}")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        store = PixelStore.build(images, encoder.spec, file.parent, workers=1, progress=Silent())
        rows = np.arange(len(images))
        pixels = Batches(PixelLoader(store, encoder.spec, CPU), images.labels, rows, batch_size=64, seed=0, device=CPU)
        precision = resolve_precision("auto", CPU)
        bank = keep_outputs(
            encoder.stem, pixels, file.parent, views=weak, strong=strong, precision=precision, progress=Silent()
        )
        temporary = file.with_suffix(".part.npy")
        np.save(temporary, bank.views)
        temporary.rename(file)
    return BankLoader(np.load(file, mmap_mode="r"), CPU, strong=strong)
