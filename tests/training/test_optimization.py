"""Learning rates by their formulas, and the optimizer that was asked for."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from deft.errors import SettingsError
from deft.training.optimization import Optimization


def test_the_cosine_falls_by_epoch_or_by_step() -> None:
    by_epoch, by_step = Optimization(learning_rate=2.0), Optimization(learning_rate=2.0, per="step")
    assert [by_epoch.rate(epoch, 4) for epoch in (0, 0.9, 2, 3)] == pytest.approx([2, 2, 1, 1 - math.sqrt(0.5)])
    assert by_step.rate(0.5, 4) == pytest.approx(1 + math.cos(math.pi / 8))


def test_the_other_schedules() -> None:
    linear = Optimization(learning_rate=1.0, schedule="linear", per="step")
    assert [linear.rate(epoch, 10) for epoch in (0, 2.5, 9)] == pytest.approx([1.0, 0.75, 0.1])
    steps = Optimization(learning_rate=1.0, schedule="steps", milestones=(0.5, 0.9))
    assert [steps.rate(epoch, 10) for epoch in (4, 5, 9)] == pytest.approx([1.0, 0.1, 0.01])
    assert Optimization(learning_rate=1.0, schedule="constant").rate(9, 10) == 1.0


def test_a_warm_up_rises_to_the_learning_rate() -> None:
    settings = Optimization(learning_rate=1.0, warmup=2, schedule="constant", per="step")
    assert [settings.rate(epoch, 10) for epoch in (0.5, 1.0, 1.5, 2.0)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert settings.rate(0, 10) > 0  # the first step must not be lost


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_is_the_one_that_was_asked_for(name: str, kind: type[torch.optim.Optimizer]) -> None:
    settings = Optimization(optimizer=name, weight_decay=0.25)  # type: ignore[arg-type]
    built = settings.build([nn.Parameter(torch.zeros(1))])
    assert type(built) is kind
    assert built.param_groups[0]["weight_decay"] == 0.25


@pytest.mark.parametrize("wrong", [{"optimizer": "lbfgs"}, {"schedule": "waves"}, {"per": "day"}, {"accumulate": 0}])
def test_unknown_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"Known: |At least one loss"):
        Optimization(**wrong)  # type: ignore[arg-type]
