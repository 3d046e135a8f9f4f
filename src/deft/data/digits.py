"""The demo's data: handwritten digits that come with scikit-learn, some with wrong labels."""

from __future__ import annotations

import numpy as np

from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader, IntArray
from deft.noise import symmetric

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits(noise: float = 0.3, seed: int = 0) -> tuple[LabeledImages, IntArray]:
    """scikit-learn's 1797 handwritten digits with some labels made wrong, and the true labels, (1797,).

    Args:
        noise: Share of labels that become another digit, each with the same chance.
        seed: Draws them.

    Example:
        >>> images, truth = digits()
        >>> len(images), float((images.labels != truth).mean().round(2))
        (1797, 0.3)
    """
    from sklearn.datasets import load_digits  # slow to import, and only the demo needs it

    found = load_digits()
    grey = np.rint(found.images * (255 / 16)).astype(np.uint8)
    truth = found.target.astype(np.int64)
    names = tuple(f"digit-{number:04d}" for number in range(len(truth)))
    images = LabeledImages(
        reader=ArrayReader(np.repeat(grey[..., None], 3, axis=3)),
        rows=np.arange(len(truth)),
        labels=symmetric(truth, noise, num_classes=len(NAMES), seed=seed),
        classes=NAMES,
        file_name=names,
        own_id=names,
        clean_labels=truth,
    )
    return images, truth
