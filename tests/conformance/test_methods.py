"""What every method must hold: finite steps, same seed same weights, resume equals unbroken, hard cases, no peeking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.adaptation.adapt import adapt
from deft.data.load import load_images
from deft.errors import SettingsError
from deft.methods.base import Method, TrainingContext
from deft.methods.registry import METHODS, method_class
from deft.noise import symmetric
from deft.progress import Silent
from deft.training.batches import Batches
from deft.training.checkpoint import Checkpoint
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization

SETTINGS = Optimization(learning_rate=0.05, precision="float32")
NAMES = sorted(METHODS)
NEEDS_THE_RATE = ["co-teaching"]


@pytest.fixture(params=NAMES)
def method(request: pytest.FixtureRequest) -> Method:
    """Every method with its own defaults."""
    built: Method = method_class(request.param)()
    return built


def state(method: Training) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert set(first) == set(second)
    for name, value in first.items():
        assert torch.equal(torch.nan_to_num(value.float()), torch.nan_to_num(second[name].float())), name


def train(method: Method, problem: Any, epochs: int, **options: Any) -> Training:
    built = method.build(problem.context)
    return fit(built, problem.train, epochs=epochs, optimization=SETTINGS, seed=problem.context.seed, **options)


def test_it_says_where_it_comes_from(method: Method) -> None:
    assert len(method.citation) > 40
    assert any(year in method.citation for year in map(str, range(2018, 2027)))
    assert method.settings()["type"] == type(method).__name__


def test_training_moves_the_weights_and_stays_finite(method: Method, table_run: Any) -> None:
    problem = table_run(count=120, epochs=4, noise_rate=0.4)
    before = state(method.build(problem.context))
    after = state(train(method, problem, 4))
    assert all(bool(torch.isfinite(value.float()).all()) for name, value in after.items() if "head" in name)
    assert any(not torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))


def test_it_learns(method: Method, table_run: Any) -> None:
    problem = table_run(count=400, noise=0.2, epochs=8, noise_rate=0.2)
    assert problem.accuracy(train(method, problem, 8)) > 0.6  # four classes: 0.25 by chance


def test_the_same_seed_gives_the_same_weights_and_another_one_others(method: Method, table_run: Any) -> None:
    def run(seed: int) -> dict[str, Tensor]:
        return state(train(method, table_run(count=120, epochs=3, noise_rate=0.4, seed=seed), 3))

    generator = torch.random.get_rng_state()
    first, second, other = run(0), run(0), run(1)
    assert_same(first, second)
    assert any(not torch.equal(first[name], other[name]) for name in first if name.endswith("weight"))
    assert torch.equal(torch.random.get_rng_state(), generator)  # nobody draws from the global generator


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_resumed_run_equals_an_unbroken_one(method: Method, table_run: Any, tmp_path: Path, done: int) -> None:
    problem = table_run(count=120, epochs=5, noise_rate=0.4)
    unbroken = state(train(method, problem, 5))
    path = tmp_path / "checkpoint.safetensors"

    class Stopped(Exception):
        pass

    class Breaking(Silent):
        """Stops the run in the epoch after `done`."""

        def __init__(self) -> None:
            self.epochs = 0

        def track(self, steps: Iterable[Any], task: str, *, total: int | None = None) -> Iterator[Any]:
            self.epochs += task.startswith("Training")
            for number, step in enumerate(steps):
                if self.epochs > done and number == 1:
                    raise Stopped
                yield step

    with pytest.raises(Stopped):
        train(method, problem, 5, checkpoint=Checkpoint(path, "a"), progress=Breaking())
    resumed = train(method, problem, 5, checkpoint=Checkpoint(path, "a", resume=True))
    assert_same(state(resumed), unbroken)


def test_an_empty_set_of_samples_changes_nothing(method: Method, table_run: Any) -> None:
    problem = table_run(count=40, epochs=3, noise_rate=0.4, rows=[])
    before = state(method.build(problem.context))
    after = state(train(method, problem, 3))
    for name, value in before.items():
        if name.endswith(("weight", "bias")):
            assert torch.equal(value, after[name]), name


@pytest.mark.parametrize(
    "hard",
    [
        {"count": 1, "classes": 2},
        {"count": 41, "batch_size": 40},  # the last batch has one sample
        {"count": 30, "classes": 2, "batch_size": 1},
        {"count": 20, "classes": 30},  # more classes than samples
        {"count": 60, "noise": 0.0},
    ],
    ids=["one sample", "batch of one at the end", "batches of one", "more classes than samples", "no noise"],
)
def test_hard_cases_stay_finite(method: Method, table_run: Any, hard: dict[str, Any]) -> None:
    problem = table_run(**{"epochs": 4, "noise_rate": 0.2, **hard})
    after = state(train(method, problem, 4))
    assert all(bool(torch.isfinite(value.float()).all()) for name, value in after.items() if "head" in name)


def test_a_class_without_samples(method: Method, table_run: Any) -> None:
    labels = np.arange(100) % 3  # of four classes
    problem = table_run(count=100, classes=4, labels=labels, epochs=4, noise_rate=0.2)
    after = train(method, problem, 4)
    assert bool(torch.isfinite(after.predict(problem.test_inputs)).all())


def test_rows_that_take_no_part_are_never_touched(method: Method, table_run: Any) -> None:
    """Their labels may be anything; -1 stands for none."""
    rows = [row for row in range(120) if row % 3]
    labels = np.arange(120) % 4
    strange = labels.copy()
    strange[::3] = -1
    runs = []
    for given in (labels, strange):
        problem = table_run(count=120, labels=given, rows=rows, epochs=3, noise_rate=0.2)
        runs.append(state(train(method, problem, 3)))
    for name, value in runs[0].items():
        if name.endswith(("weight", "bias")):
            assert torch.equal(value, runs[1][name]), name


def test_predictions_are_class_scores(method: Method, table_run: Any) -> None:
    problem = table_run(count=60, epochs=2, noise_rate=0.2)
    found = train(method, problem, 2).predict(problem.test_inputs[:7])
    assert found.shape == (7, 4)


def test_what_a_method_is_told_holds_no_true_label() -> None:
    told = {field.name for field in fields(TrainingContext)}
    assert told == {"network", "labels", "rows", "classes", "epochs", "seed", "device", "noise_rate", "optimization"}
    assert "clean" not in " ".join(vars(Batches(None, np.zeros(1), np.zeros(1), batch_size=1, seed=0, device="cpu")))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEEDS_THE_RATE])
def test_a_stated_noise_rate_changes_nothing_for_those_that_need_none(name: str, table_run: Any) -> None:
    silent, told = (
        state(train(method_class(name)(), table_run(count=80, epochs=3, noise_rate=rate), 3)) for rate in (None, 0.9)
    )
    assert_same(silent, told)


@pytest.mark.parametrize("name", NEEDS_THE_RATE)
def test_those_that_need_the_noise_rate_say_so(name: str, table_run: Any) -> None:
    with pytest.raises(SettingsError, match="noise_rate"):
        method_class(name)().build(table_run(count=80).context)


def test_the_order_of_rows_changes_no_weight(method: Method, backbone_folder: Any) -> None:
    """Through `adapt`, which is where rows come in; with a part held back, so that this draw is looked at as well."""
    rng = np.random.default_rng(0)
    labels = np.arange(26) % 2
    pixels = rng.integers(0, 120, (26, 20, 20, 3)) + 110 * labels[:, None, None, None]
    images = load_images(pixels.astype(np.uint8), labels=labels, classes=["cat", "dog"])
    images = images.relabel(symmetric(labels, 0.2, num_classes=2, seed=0))
    shared: dict[str, Any] = {"method": method, "epochs": 3, "batch_size": 8, "validation": 0.25, "noise_rate": 0.2}
    models = [
        adapt(backbone_folder("resnet"), data, optimization=SETTINGS, **shared)
        for data in (images, images.keep(rng.permutation(26)))
    ]
    first, second = (model.predict(images)["topk_probs"].tolist() for model in models)
    assert first == second
