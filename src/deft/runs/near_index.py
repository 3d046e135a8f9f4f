"""Likely neighbours among very many images, by the extra faiss: images gathered in clusters, of which a few are read.

An inverted file with 8 bits a number (Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search",
TPAMI 2011, section IV, with a scalar quantizer). Whoever asks compares what it names by the features themselves.
Shapes: N images, P width of the features, n images asked about.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import faiss

BLOCK = 16_384  # images added at a time
LEARNED_FROM = 64  # images per cluster that the clusters are learned from
ROUNDS = 10  # of k-means
SEED = 0
SEARCHED, AT_LEAST = 0.05, 32  # of all clusters


@dataclass(frozen=True)
class NearIndex:
    """Images by the clusters of their directions.

    Args:
        rows: Number of each image in it, int64 (N,).
        index: Of faiss, over the same images.
    """

    rows: np.ndarray
    index: faiss.IndexIVF

    @classmethod
    def of(cls, directions: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> NearIndex | None:
        """Return an index of some images; None, and a sentence in the log, where faiss isn't installed.

        Args:
            directions: Gives unit vectors of images by their numbers, float32 (n, P).
            rows: Numbers of the images, (N,).

        Example:
            >>> unit = np.eye(40, dtype=np.float32)
            >>> NearIndex.of(lambda rows: unit[rows], np.arange(40)).candidates(unit[:1], 1)
            array([[0]])
        """
        try:
            import faiss
        except ImportError:
            logging.getLogger("deft").warning(
                "Neighbours are looked for by comparing each suspect with all %d images, which may take minutes; "
                "an index is several times faster: pip install 'deft-labels[faiss]'.",
                len(rows),
            )
            return None
        clusters = min(len(rows), round(2 * math.sqrt(len(rows))))
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), LEARNED_FROM * clusters)).astype(np.int64)]
        sample = directions(some)
        middles, numbers = faiss.IndexFlatIP(sample.shape[1]), faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(middles, sample.shape[1], clusters, numbers, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.seed, index.cp.min_points_per_centroid = ROUNDS, SEED, 1
        index.train(sample)
        for start in range(0, len(rows), BLOCK):
            index.add(directions(rows[start : start + BLOCK]))
        index.nprobe = max(AT_LEAST, math.ceil(SEARCHED * index.nlist))
        return cls(rows, index)

    def candidates(self, asked: np.ndarray, count: int) -> np.ndarray:
        """Return the images that are probably nearest, int64 (n, count); −1 where there are no more.

        Args:
            asked: Unit vectors, float32 (n, P).
            count: How many of each.
        """
        _, places = self.index.search(asked, count)
        return np.where(places < 0, -1, self.rows[places])
