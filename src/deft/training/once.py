"""Of images that show the same picture one, so that copies don't vote each other right."""

from __future__ import annotations

import numpy as np


def once(groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return an order with only the first member of each group of duplicates.

    Args:
        groups: Number of each one's group, (n,), −1 for none.
        order: Order of all n.

    Example:
        >>> once(np.array([0, -1, 0, 1, 1]), np.array([4, 2, 1, 0, 3]))
        array([4, 2, 1])
    """
    own = groups[order]
    kept = own < 0
    kept[np.unique(own, return_index=True)[1]] = True
    first: np.ndarray = order[kept]
    return first


def once_a_label(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return places with only the first image of each label in a group of duplicates, rising.

    Args:
        groups: Number of each one's group, (n,), −1 for none.
        labels: Given labels, (n,).

    Example:
        >>> once_a_label(np.array([0, -1, 0, 0]), np.array([1, 1, 1, 2]))
        array([0, 1, 3])
    """
    both = np.where(groups >= 0, groups * (int(labels.max(initial=0)) + 1) + labels, -1)
    return np.sort(once(both, np.arange(len(both))))


def pictures(groups: np.ndarray) -> int:
    """Return how many images there are if a group of duplicates counts as one."""
    return int((groups < 0).sum()) + len(np.unique(groups[groups >= 0]))
