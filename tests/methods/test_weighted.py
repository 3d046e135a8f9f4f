"""Cross-entropy by weights: the formula, and weights that can't be used."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.methods.base import TrainingContext
from deft.methods.weighted import WeightedCE
from deft.training.batches import Batches, Loader, Rows, View

LABELS = np.array([0, 1, 0, 1])
CPU = torch.device("cpu")


class Fixed(Classifier):
    """Gives odds of 3 to 1 for class 0, whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.classes = 1, 2
        self.bias = torch.nn.Parameter(torch.tensor([math.log(3.0), 0.0]))

    def features(self, inputs: Tensor) -> Tensor:
        return inputs

    def classify(self, features: Tensor) -> Tensor:
        return self.bias.expand(len(features), 2)


class Ones(Loader):
    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return torch.ones(len(rows), 1)


def run(rows: Any = (0, 1, 2, 3)) -> TrainingContext:
    return TrainingContext(lambda seed: Fixed(), LABELS, np.array(rows), 2, epochs=1, seed=0, device=CPU)


def losses(weights: list[float], batch_size: int = 4) -> list[float]:
    train = Batches(Ones(), LABELS, np.arange(4), batch_size=batch_size, seed=0, device=CPU)
    method = WeightedCE(np.array(weights)).build(run())
    return [float(loss.detach()) for loss in method.losses(train, 0)]


def test_the_mean_by_weights() -> None:
    # −log p is log(4/3) for class 0 and log 4 for class 1.
    expected = (1.0 * math.log(4 / 3) + 0.5 * math.log(4)) / 1.5
    assert losses([1.0, 0.5, 0.0, 0.0]) == pytest.approx([expected])


def test_equal_weights_are_plain_cross_entropy() -> None:
    assert losses([0.3] * 4) == pytest.approx([(math.log(4 / 3) + math.log(4)) / 2])


def test_a_batch_without_weight_is_a_zero_loss() -> None:
    values = losses([1.0, 0.0, 0.0, 0.0], batch_size=1)
    assert sorted(values) == pytest.approx([0.0, 0.0, 0.0, math.log(4 / 3)])


def test_the_weights_are_in_the_checkpoint_and_their_digest_in_the_settings() -> None:
    first, second = WeightedCE(np.ones(4)), WeightedCE(np.array([1, 1, 1, 0.5]))
    assert torch.equal(first.build(run()).state_dict()["weights"], torch.ones(4))
    assert first.settings() == WeightedCE(np.ones(4)).settings() != second.settings()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1.0]], "not an array of shape"),
        ([1.0, -1.0, 1.0, 1.0], "at least zero"),
        ([1.0, np.inf, 1.0, 1.0], "at least zero"),
        ([1.0, 1.0], "2 weights for 4 images"),
        ([0.0] * 4, "nothing to learn from"),
        ([1.0, np.nan, 1.0, 1.0], "1 readable images have no weight"),
    ],
)
def test_weights_that_can_not_be_used(weights: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        WeightedCE(np.array(weights)).build(run())


def test_rows_that_do_not_take_part_need_no_weight() -> None:
    WeightedCE(np.array([1.0, np.nan, 1.0, 1.0])).build(replace(run(), rows=np.array([0, 2, 3])))
