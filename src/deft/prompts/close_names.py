"""Class names that mean nearly the same to a model: it can't tell such classes apart by their names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from deft.encoders.base import DualEncoder
from deft.prompts.templates import class_features

CLOSE = 0.85
"""Similarity from which names are close. With `tiny`: sofa and couch 0.92, cat and kitten 0.88, cup and mug 0.83."""

MOST = 50  # pairs
COMPARED = 5000  # names at the most
BLOCK = 512  # rows compared at once
COMMON = (
    "cat", "dog", "car", "tree", "house", "person", "bread", "chair", "mountain", "river", "book", "phone", "shirt",
    "flower", "bird", "bicycle", "hammer", "guitar", "cloud", "beach",
)  # fmt: skip
"""Words whose mean is taken off, since all texts point much the same way in the joint space."""


@torch.no_grad()
def close_names(
    encoder: DualEncoder, classes: Sequence[str], words: Sequence[str] | None = None
) -> list[tuple[str, str, float]]:
    """Return the pairs of class names whose text features nearly coincide, closest first.

    Args:
        encoder: A vision-language model.
        classes: Class names; the first 5000 are compared.
        words: What the model reads for each; the names themselves if not given.

    Returns:
        Two names and the cosine of their features, both less the mean of common words, at least `CLOSE`.

    Example:
        >>> close_names(load_encoder("tiny"), ["sofa", "couch", "truck"])  # doctest: +SKIP
        [('sofa', 'couch', 0.924)]
    """
    names = list(classes[:COMPARED])
    middle = class_features(encoder, COMMON).mean(dim=0)
    features = F.normalize(class_features(encoder, list(words or classes)[:COMPARED]) - middle, dim=-1)
    pairs: list[tuple[str, str, float]] = []
    for start in range(0, len(names), BLOCK):
        pairs += [
            (names[start + one], names[other], round(value, 3))
            for one, other, value in _close(features[start : start + BLOCK] @ features.T, start)
        ]
    return sorted(pairs, key=lambda pair: -pair[2])[:MOST]


def _close(similarity: Tensor, start: int) -> list[tuple[int, int, float]]:
    """Return row, column and value of the close pairs right of the diagonal, in rows (B, K) that begin at `start`."""
    rows, columns = torch.nonzero(torch.triu(similarity, diagonal=start + 1) >= CLOSE, as_tuple=True)
    values = similarity[rows, columns]
    return list(zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True))
