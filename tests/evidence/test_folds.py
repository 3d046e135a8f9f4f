"""Parts of a data set that are drawn by content: the order of rows decides nothing."""

from __future__ import annotations

import numpy as np
import pytest

from deft.evidence.folds import FEW_IMAGES, content_keys, parts


def keys(count: int) -> np.ndarray:
    return content_keys([f"picture {number}" for number in range(count)])


@pytest.mark.parametrize(("count", "expected"), [(200, 5), (FEW_IMAGES, 5), (FEW_IMAGES + 1, 2)])
def test_a_small_set_is_cut_into_fifths_and_a_large_one_into_halves(count: int, expected: int) -> None:
    sizes = np.bincount(parts(keys(count)))
    assert len(sizes) == expected
    assert sizes.min() > 0.7 * count / expected


def test_a_part_belongs_to_the_picture_and_not_to_its_place() -> None:
    some, order = keys(300), np.random.default_rng(0).permutation(300)
    assert np.array_equal(parts(some[order]), parts(some)[order])
