"""The demo's data: handwritten digits that come with scikit-learn, some with wrong labels."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader, IntArray
from deft.data.sources import DEMO
from deft.noise import symmetric

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


NOISE, SEED = 0.3, 0
"""The share of wrong labels in `deft demo`, and what draws them."""


def digits(noise: float = NOISE, seed: int = SEED) -> tuple[LabeledImages, IntArray]:
    """Return scikit-learn's 1797 handwritten digits with some labels made wrong, and the true labels, (1797,).

    Args:
        noise: Share of labels that become another digit, each with the same chance.
        seed: Draws them.

    Example:
        >>> images, truth = digits()
        >>> len(images), float((images.labels != truth).mean().round(2))
        (1797, 0.3)
    """
    grey, truth = _read()
    names = tuple(f"digit-{number:04d}" for number in range(len(truth)))
    images = LabeledImages(
        reader=ArrayReader(np.repeat(grey[..., None], 3, axis=3)),
        rows=np.arange(len(truth)),
        labels=symmetric(truth, noise, num_classes=len(NAMES), seed=seed),
        classes=NAMES,
        file_name=names,
        own_id=names,
        clean_labels=truth,
        origin={"data": DEMO} if (noise, seed) == (NOISE, SEED) else None,
    )
    return images, truth


def _read() -> tuple[npt.NDArray[np.uint8], IntArray]:
    """Return the digits in grey, (1797, 8, 8), and what they are, (1797,).

    The file is read as `sklearn.datasets.load_digits` does, without a second and a half of importing scikit-learn.
    """
    home = find_spec("sklearn")
    assert home is not None, "scikit-learn is one of deft's requirements"
    assert home.origin is not None
    with gzip.open(Path(home.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    grey = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return grey, table[:, -1]
