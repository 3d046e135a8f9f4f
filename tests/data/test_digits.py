"""The demo's digits."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from deft.data.digits import digits


def test_they_are_scikit_learn_s() -> None:
    images, truth = digits()
    theirs = load_digits()
    pixels = np.stack([np.asarray(images.reader.read(row)) for row in range(len(images))])
    assert truth.tolist() == theirs.target.tolist()
    np.testing.assert_array_equal(pixels[..., 0], np.rint(theirs.images * (255 / 16)).astype(np.uint8))
