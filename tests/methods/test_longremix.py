"""LongReMix: consecutively clean samples, two stages of any length, and what it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deft.errors import SettingsError
from deft.methods.cross_entropy import CE
from deft.methods.longremix import LongReMix, consecutive
from deft.training.loop import epochs_of
from deft.training.optimization import Optimization

SETTINGS = Optimization(learning_rate=0.1, precision="float32")


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 6))), st.integers(1, 5))
def test_the_counter_is_the_intersection_of_the_last_epochs(clean: np.ndarray, wanted: int) -> None:
    streak = torch.zeros(clean.shape[1], dtype=torch.uint8)
    for epoch in range(len(clean)):
        streak = consecutive(streak, torch.from_numpy(clean[epoch]))
        if epoch + 1 >= wanted:
            intersection = clean[epoch + 1 - wanted : epoch + 1].all(axis=0)
            assert np.array_equal((streak >= wanted).numpy(), intersection)


def test_the_counter_does_not_run_over() -> None:
    streak = torch.zeros(2, dtype=torch.uint8)
    for _ in range(600):
        streak = consecutive(streak, torch.tensor([True, False]))
    assert streak.tolist() == [255, 0]


@pytest.mark.parametrize("epochs", [2, 3, 4, 5, 10])
def test_runs_of_any_length(epochs: int, table_run: Any) -> None:
    problem = table_run(count=80, epochs=epochs)
    method = LongReMix().build(problem.context)
    begins = [epoch for epoch in range(epochs) if method.starts_afresh(epoch)]
    assert begins == [max(1, round(0.4 * epochs))]
    trained = problem.run(LongReMix(), rate=0.05)
    core = trained.state_dict()["core"]
    assert bool((core.sum(dim=1) > 0).all())
    assert bool(torch.isfinite(trained.predict(problem.test_inputs)).all())


def test_one_epoch_is_too_short(table_run: Any) -> None:
    with pytest.raises(SettingsError, match="needs 2 epochs"):
        LongReMix().build(table_run(epochs=1).context)


def test_the_core_is_cleaner_than_the_data_and_each_networks_own(table_run: Any) -> None:
    problem = table_run(noise=0.4, epochs=10)
    core = problem.run(LongReMix()).state_dict()["core"].numpy()
    assert all(problem.wrong[mine].mean() < 0.15 for mine in core)
    assert not np.array_equal(core[0], core[1])


def test_the_core_stays_once_stage_2_has_begun(table_run: Any) -> None:
    problem = table_run(count=120, epochs=8)
    method = LongReMix().build(problem.context)
    cores = []
    for _ in epochs_of(method, problem.train, epochs=8, optimization=SETTINGS):
        cores.append(method.state_dict()["core"].clone())
    assert not bool(cores[0].any())
    assert bool(cores[3].any())  # the epoch at which stage 2 begins
    assert all(torch.equal(core, cores[3]) for core in cores[4:])


def test_stage_2_begins_with_the_first_weights(table_run: Any) -> None:
    problem = table_run(count=120, epochs=5)
    method = LongReMix().build(problem.context)
    start = {name: value.clone() for name, value in method.state_dict().items() if name.startswith("networks")}
    for _ in epochs_of(method, problem.train, epochs=2, optimization=SETTINGS):
        pass
    next(iter(method.losses(problem.train, 2)))
    assert all(torch.equal(value, method.state_dict()[name]) for name, value in start.items())


def test_an_epoch_of_stage_2_is_as_long_as_the_data(table_run: Any) -> None:
    problem = table_run(count=120, batch_size=25, epochs=5)
    method = LongReMix().build(problem.context)
    for _ in epochs_of(method, problem.train, epochs=4, optimization=SETTINGS):
        pass
    assert len(list(method.losses(problem.train, 4))) == 2 * 5


def test_it_learns_where_cross_entropy_memorises(table_run: Any) -> None:
    problem = table_run(noise=0.4, epochs=10)
    plain, robust = problem.run(CE()), problem.run(LongReMix())
    assert problem.memorised(plain) > 0.6
    assert problem.memorised(robust) < 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


@pytest.mark.parametrize("preset", [LongReMix.for_webvision(), LongReMix.for_clothing1m()])
def test_presets_without_loss_on_guesses_run(preset: LongReMix, table_run: Any) -> None:
    problem = table_run(count=120, epochs=5)
    assert bool(torch.isfinite(problem.run(preset, rate=0.05).predict(problem.test_inputs)).all())


def test_the_rate_stays_in_stage_1_and_stage_2_has_a_whole_schedule(table_run: Any) -> None:
    method = LongReMix().build(table_run(count=40, epochs=10).context)
    assert [method.stage(epoch, 10) for epoch in range(10)] == [None] * 4 + [(epoch, 6) for epoch in range(6)]


def test_presets_of_hundreds_of_epochs_divide_the_run() -> None:
    assert LongReMix.for_cifar10().first_stage == 0.5
    assert LongReMix.for_cifar100(guesses=150).guesses == 150


@pytest.mark.parametrize(
    "wrong", [{"warmup": 0}, {"consecutive": 0}, {"consecutive": 300}, {"first_stage": 1.0}, {"temperature": 0.0}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LongReMix(**wrong)
