"""Parts of a data set that are drawn by what an image shows, so that the order of rows decides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def content_keys(names: Sequence[str]) -> np.ndarray:
    """Return a number for each image that depends on its name alone, uint64 (N,): draws by it don't know the order.

    Args:
        names: A name of each image's content, (N,).
    """
    digests = (hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)
