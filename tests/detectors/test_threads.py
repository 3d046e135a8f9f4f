"""The same images and seed give the same verdicts with any number of threads, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from deft.data.digits import digits
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder
from deft.noise import symmetric
from deft.training.optimization import Optimization
from deft.training.precision import Precision


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_verdicts_are_the_same_with_any_number_of_threads(precision: Precision) -> None:
    images = digits(noise=0.0)[0].keep(np.arange(100))  # no multiple of a batch: the last one is small
    noisy = images.relabel(symmetric(images.labels, 0.2, num_classes=10, seed=0))
    detector = DeFT(load_encoder("tiny", device="cpu"), optimization=Optimization(precision=precision))
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(replace(detector, epochs=3).detect(noisy))
    assert found[0].is_label_issue.any()
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].p_clean, other.p_clean)
        np.testing.assert_array_equal(found[0].is_label_issue, other.is_label_issue)
        np.testing.assert_array_equal(found[0].predicted, other.predicted)
