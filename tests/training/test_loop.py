"""The one loop: schedule, checkpoint and resume, losses that are no numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.errors import DataError, ModelError, SettingsError
from deft.progress import Silent
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.checkpoint import Checkpoint, checkpoint_notes, keep, restore
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization


class Table(Loader):
    def __init__(self, values: Tensor) -> None:
        self.values = values

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        noise = 0.0 if rng is None else rng.normal(size=(len(rows), self.values.shape[1])) * 0.1
        return self.values[torch.from_numpy(rows)] + torch.as_tensor(noise, dtype=torch.float32)


class Linear(Training):
    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.seen: list[list[int]] = []
        self.fail_at = fail_at

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for step, batch in enumerate(train.epoch(epoch)):
            if epoch == self.fail_at:
                raise KeyboardInterrupt
            self.seen.append(batch.index.tolist())
            loss = nn.functional.cross_entropy(self.predict(batch.inputs), batch.labels)
            yield loss * (float("nan") if step == 2 and self.fail_at == -1 else 1.0)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.layer(inputs)
        return scores


@pytest.fixture
def train() -> Batches:
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    labels = values[:, :3].argmax(dim=1).numpy()
    rows = np.arange(50)
    return Batches(Table(values), labels, rows, batch_size=16, seed=3, device=torch.device("cpu"))


def weights(method: Linear) -> Tensor:
    return torch.cat([value.flatten() for value in method.state_dict().values()])


def test_every_sample_is_seen_once_an_epoch_in_a_new_order(train: Batches) -> None:
    method = Linear()
    fit(method, train, epochs=2)
    first, second = list(chain(*method.seen[:4])), list(chain(*method.seen[4:]))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_the_loss_goes_down(train: Batches) -> None:
    method = fit(Linear(), train, epochs=10)
    inputs = train.loader.load(train.rows, None)
    right = method.predict(inputs).argmax(dim=1).numpy() == train.labels
    assert right.mean() > 0.85


def test_a_resumed_run_equals_an_unbroken_one(train: Batches, tmp_path: Path) -> None:
    unbroken = fit(Linear(), train, epochs=4)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(Linear(fail_at=2), train, epochs=4, checkpoint=Checkpoint(path, "a"))
    assert checkpoint_notes(path)["epochs"] == 2
    resumed = Linear()
    fit(resumed, train, epochs=4, checkpoint=Checkpoint(path, "a", resume=True))
    assert len(resumed.seen) == 8  # only the last two epochs
    assert isinstance(unbroken, Linear)
    assert torch.equal(weights(resumed), weights(unbroken))


def test_the_scale_of_the_gradients_is_resumed(tmp_path: Path) -> None:
    """Float16 scales its gradients by a factor that it finds while it learns; a new start would overflow anew."""
    module, checkpoint = nn.Linear(2, 1), Checkpoint(tmp_path / "checkpoint.safetensors", "a", resume=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    found = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=7)
    scaled = found.scale(module(torch.ones(1, 2)).sum())
    scaled.backward()
    found.step(optimizer)
    found.update()
    keep(module, optimizer, found, checkpoint, 3)
    fresh = torch.amp.GradScaler("cpu")
    assert restore(module, optimizer, fresh, checkpoint) == 3
    assert fresh.state_dict() == found.state_dict()
    assert fresh.state_dict()["scale"] == 1024.0


class Rates(Silent):
    """Remembers the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def measure(self, name: str, value: float, step: int) -> None:
        if name == "training/learning_rate":
            self.rates.append(value)


def test_stages_begin_the_schedule_again(train: Batches) -> None:
    class InStages(Linear):
        def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
            return (epoch, 2) if epoch < 2 else (epoch - 2, epochs - 2)

    rates: list[float] = []

    class Watched(Optimization):
        def rate(self, epoch: float, epochs: int) -> float:
            rates.append(super().rate(epoch, epochs))
            return rates[-1]

    fit(InStages(), train, epochs=4, optimization=Watched(learning_rate=2.0))
    assert sorted(set(rates), reverse=True) == pytest.approx([2.0, 1.0])


@pytest.mark.parametrize("schedule", ["cosine", "linear", "steps"])
@pytest.mark.parametrize("per", ["epoch", "step"])
def test_in_a_stage_without_a_schedule_the_rate_stays(train: Batches, per: Any, schedule: Any) -> None:
    class Still(Linear):
        def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
            return None

    told = Rates()
    fit(
        Still(),
        train,
        epochs=4,
        optimization=Optimization(learning_rate=2.0, per=per, schedule=schedule),
        progress=told,
    )
    assert told.rates == [2.0] * 4 * len(train)
    told = Rates()
    warm = Optimization(learning_rate=2.0, per=per, schedule=schedule, warmup=1)
    fit(Still(), train, epochs=4, optimization=warm, progress=told)
    assert max(told.rates[: len(train)]) < 2.0
    assert told.rates[len(train) :] == [2.0] * 3 * len(train)


def test_without_resume_a_checkpoint_is_not_used(train: Batches, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    fit(Linear(), train, epochs=1, checkpoint=Checkpoint(path, "a"))
    again = Linear()
    fit(again, train, epochs=1, checkpoint=Checkpoint(path, "a"))
    assert len(again.seen) == 4


def test_a_checkpoint_of_another_run_is_refused(train: Batches, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    fit(Linear(), train, epochs=1, checkpoint=Checkpoint(path, "a"))
    with pytest.raises(DataError, match="other images, labels or settings"):
        fit(Linear(), train, epochs=1, checkpoint=Checkpoint(path, "b", resume=True))


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="no checkpoint of deft"):
        checkpoint_notes(path)


def test_no_temporary_file_is_left(train: Batches, tmp_path: Path) -> None:
    fit(Linear(), train, epochs=2, checkpoint=Checkpoint(tmp_path / "checkpoint.safetensors", "a"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors", "manifest.json"]


def test_a_loss_that_is_no_number_names_epoch_and_step(train: Batches) -> None:
    with pytest.raises(ModelError, match="became nan in epoch 1 of 2, step 3"):
        fit(Linear(fail_at=-1), train, epochs=2)


def test_the_learning_rate_falls_by_a_cosine() -> None:
    rates = [Optimization(learning_rate=2.0).rate(epoch, 4) for epoch in range(4)]
    assert rates == pytest.approx([2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)])


def test_clipping_bounds_the_step(train: Batches) -> None:
    settings = Optimization(learning_rate=1.0, momentum=0.0, weight_decay=0.0, clip=1e-3)
    method = Linear()
    fit(method, train, epochs=1, optimization=settings)
    assert float(weights(method).norm()) <= 4 * 1e-3 + 1e-6


def test_a_learning_rate_of_zero_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be positive, not 0"):
        Optimization(learning_rate=0)
