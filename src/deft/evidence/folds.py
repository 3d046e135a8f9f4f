"""Parts of a data set that are drawn by what an image shows, so that the order of rows decides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

FEW_IMAGES, FEW_PARTS = 2_000, 5  # a small set, and into how many parts it is cut


def content_keys(names: Sequence[str]) -> np.ndarray:
    """Return a number for each image that depends on its name alone, uint64 (N,): draws by it don't know the order.

    Args:
        names: A name of each image's content, (N,).
    """
    digests = (hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)


def parts(keys: np.ndarray) -> np.ndarray:
    """Return which part of the data each image is in, int64 (N,): one is left out while noise is learned from the rest.

    Halves, and fifths of a small set: half of twenty images of a class don't show where its wrong labels fall.

    Args:
        keys: The images' numbers by `content_keys`, (N,).
    """
    return (keys % (FEW_PARTS if len(keys) <= FEW_IMAGES else 2)).astype(np.int64)
