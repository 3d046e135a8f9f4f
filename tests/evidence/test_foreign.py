"""Images of none of the classes: found where they are, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deft.evidence.foreign import Foreign

CLASSES, COUNT = 10, 4000


def world(share: float, *, tail: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Unusualness, log-likelihood of the label within the classes, and who is foreign."""
    generator = torch.Generator().manual_seed(0)
    foreign = torch.rand(COUNT, generator=generator) < share
    unusual = torch.randn(COUNT, generator=generator)
    if tail:
        unusual = unusual.exp()  # skewed, as real images are
    unusual = torch.where(foreign, unusual + 3, unusual)
    fits = torch.rand(COUNT, generator=generator) < 0.8
    fits = torch.where(foreign, torch.rand(COUNT, generator=generator) < 0.1, fits)
    return unusual, torch.where(fits, 0.75, 0.25 / (CLASSES - 1)).log(), foreign


def test_foreign_images_are_found_with_their_share() -> None:
    unusual, likelihood, foreign = world(0.1)
    found = Foreign.learn(unusual, likelihood, CLASSES)
    assert found.share == pytest.approx(0.1, abs=0.03)
    odd = found.probability(unusual, likelihood) > 0.5
    assert float(odd[foreign].float().mean()) > 0.7
    assert float(odd[~foreign].float().mean()) < 0.02


@pytest.mark.parametrize("tail", [False, True])
def test_where_nothing_is_foreign_next_to_nothing_is_held_for_it(tail: bool) -> None:
    unusual, likelihood, _ = world(0.0, tail=tail)
    found = Foreign.learn(unusual, likelihood, CLASSES)
    assert float((found.probability(unusual, likelihood) > 0.5).float().mean()) < 0.005


def test_images_that_all_look_the_same_are_not_foreign() -> None:
    found = Foreign.learn(torch.zeros(10), torch.zeros(10), CLASSES)
    assert found.share == 0
    assert found.probability(torch.zeros(2), torch.zeros(2)).tolist() == [0.0, 0.0]
