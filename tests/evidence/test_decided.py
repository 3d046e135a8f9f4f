"""What people decided changes how often labels are held for wrong, as far as it says anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from deft.evidence.decided import SPREAD, learn_factor


def drawn(factor: float, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-odds of being right that are believed, and what people found: errors are likelier by a factor of odds."""
    rng = np.random.default_rng(1)
    odds = rng.normal(1.0, 2.0, size=count)
    wrong = rng.random(count) < 1 / (1 + np.exp(odds) / factor)
    return torch.from_numpy(odds), torch.from_numpy(wrong)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_many_decisions_find_the_factor(factor: float) -> None:
    odds, wrong = drawn(factor, 4000)
    found = learn_factor(lambda tried: odds - math.log(tried), wrong)
    assert found.factor == pytest.approx(factor, rel=0.15)
    assert found.spread < 0.1
    assert found.count == 4000


def test_it_does_not_matter_that_people_were_shown_the_most_suspicious() -> None:
    odds, wrong = drawn(2.5, 8000)
    shown = odds.argsort()[:2000]
    found = learn_factor(lambda tried: odds[shown] - math.log(tried), wrong[shown])
    assert found.factor == pytest.approx(2.5, rel=0.25)


def test_few_decisions_change_little_and_sure_ones_nothing() -> None:
    odds, wrong = drawn(2.5, 3)
    assert 0.5 < learn_factor(lambda tried: odds - math.log(tried), wrong).factor < 2.2
    sure = torch.full((50,), -30.0)
    found = learn_factor(lambda tried: sure - math.log(tried), torch.ones(50, dtype=torch.bool))
    assert found.factor == pytest.approx(1.0, abs=0.02)
    assert found.spread == pytest.approx(SPREAD, abs=0.05)
