"""Several real processes train as one does: the same weights from parts of each batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.several import together
from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.errors import AloneError, SettingsError
from deft.methods.base import TrainingContext
from deft.methods.elr import ELR
from deft.methods.parts.score_pass import score_losses
from deft.progress import Silent
from deft.training.batches import Batches, Loader, View
from deft.training.checkpoint import Checkpoint
from deft.training.feature_bank import keep_outputs
from deft.training.loop import fit
from deft.training.optimization import Optimization
from deft.training.processes import Processes, looks_at_batches, own_accelerator

CPU = torch.device("cpu")
ROWS, CLASSES = 50, 3
POSIX = pytest.mark.skipif(os.name == "nt", reason="gloo's processes are tested on POSIX")


class Table(Loader):
    """Four numbers a row, with noise where a view is drawn."""

    values = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0))

    def load(self, rows: np.ndarray, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        noise = 0 if rng is None else torch.from_numpy(rng.normal(size=(len(rows), 4)) / 10).float()
        return self.values[torch.from_numpy(rows)] + noise


class Net(Classifier):
    """A linear classifier that counts what it computes."""

    width, classes = 4, CLASSES

    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self.processes = processes
        self.head = nn.Linear(4, CLASSES)
        nn.init.constant_(self.head.weight, 0.1)
        nn.init.zeros_(self.head.bias)
        self.seen: list[int] = []

    def features(self, inputs: Tensor) -> Tensor:
        self.seen.append(len(inputs))
        return inputs

    def classify(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(features)
        return scores


def train(place: Path, epochs: int) -> None:
    """Train, score and keep outputs; write what came out. The last batch has two samples, so one process has none."""
    processes = Processes.current(CPU)
    labels = np.random.default_rng(0).integers(0, CLASSES, ROWS)
    batches = Batches(Table(), labels, np.arange(ROWS), batch_size=16, seed=0, device=CPU, processes=processes)
    context = TrainingContext(lambda seed: Net(processes), labels, np.arange(ROWS), CLASSES, CLASSES, 0, CPU)
    method = ELR().build(context)
    settings = Optimization(clip=0.5, precision="float32", schedule="constant")
    checkpoint = Checkpoint(place / "checkpoint", "same", resume=True)
    fit(method, batches, epochs=epochs, optimization=settings, checkpoint=checkpoint)
    network = next(part for part in method.modules() if isinstance(part, Net))
    network.seen.clear()
    found = {f"state.{name}": value for name, value in method.state_dict().items()}
    found["losses"] = torch.as_tensor(score_losses(network, batches))
    found["seen"] = torch.tensor(network.seen)
    kept = keep_outputs(lambda inputs: inputs * 2, batches, place, views=2, precision=torch.float32, progress=Silent())
    found["views"] = torch.from_numpy(np.array(kept.views))
    found["told"] = torch.tensor(processes.tell(processes.rank))
    torch.save(found, place / f"{processes.count}-{processes.rank}.pt")
    processes.wait()


def left_alone(place: Path) -> None:
    """Process 1 ends at once; process 0 notes what it is told."""
    processes = Processes.current(CPU)
    if processes.rank:
        os._exit(9)
    try:
        processes.share(lambda part: part, torch.ones(4))
    except AloneError as error:
        (place / "said").write_text(str(error))


def wait_beside_gpus(place: Path) -> None:
    """Wait for the others on the CPU of a machine whose accelerator is a GPU, as PyTorch finds it."""
    processes = Processes.current(CPU)
    torch._C._get_accelerator = lambda *_: torch.device("cuda")
    processes.wait()
    torch.save(None, place / f"waited-{processes.rank}.pt")


def gradients(place: Path, dtype: torch.dtype) -> None:
    """Write the gradients of a weight before and of one after a shared result."""
    processes = Processes.current(CPU)
    before, after = (torch.nn.Parameter(torch.tensor([value])) for value in (1.5, 0.7))
    rows = torch.tensor([3.0, 5.0, -7.0, 11.0, 0.1])
    shared = processes.share(lambda part: part * before.to(dtype), rows.to(dtype))
    (shared * after.to(dtype)).float().sum().backward()
    processes.join_gradients([before, after])
    assert before.grad is not None
    assert after.grad is not None
    torch.save(torch.cat([before.grad, after.grad]), place / f"{processes.count}-{processes.rank}.pt")
    processes.wait()


def read(place: Path, count: int) -> list[dict[str, Tensor]]:
    return [torch.load(place / f"{count}-{rank}.pt", weights_only=True) for rank in range(count)]


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    for name in set(one) - {"seen", "told", "views"}:
        torch.testing.assert_close(other[name], one[name], rtol=1e-5, atol=1e-6, equal_nan=True, msg=name)
    torch.testing.assert_close(other["views"], one["views"], rtol=0, atol=0)


@POSIX
def test_three_processes_train_as_one_does_and_go_on_where_one_stopped(tmp_path: Path) -> None:
    alone, three, resumed = (tmp_path / name for name in ("alone", "three", "resumed"))
    for folder in (alone, three, resumed):
        folder.mkdir()
    assert together(1, train, alone, 3) == [0]
    assert together(3, train, three, 3) == [0, 0, 0]
    (one,) = read(alone, 1)
    several = read(three, 3)
    for found in several:
        assert_same(one, found)
        assert found["told"] == 0
    # Each of the 50 samples is computed once; the last process has none of the last two, and one that is dropped.
    assert [found["seen"].tolist() for found in several] == [[6, 6, 6, 1], [5, 5, 5, 1], [5, 5, 5, 1]]
    assert {path.name for path in three.iterdir()} == {
        *("checkpoint", "manifest.json"),
        *(f"3-{rank}.pt" for rank in range(3)),
    }
    assert together(1, train, resumed, 1) == [0]
    assert together(2, train, resumed, 3) == [0, 0]
    for found in read(resumed, 2):
        assert_same(one, found)


@POSIX
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_three_processes_are_those_of_one(tmp_path: Path, dtype: torch.dtype) -> None:
    for count in (1, 3):
        assert together(count, gradients, tmp_path, dtype) == [0] * count
    alone, *several = torch.load(tmp_path / "1-0.pt"), *(torch.load(tmp_path / f"3-{rank}.pt") for rank in range(3))
    for found in several:
        # What comes after a shared result is the same in all; sums over parts are rounded part by part.
        torch.testing.assert_close(found, alone, rtol=1e-6 if dtype == torch.float32 else 2**-7, atol=0)
        assert found[1] == alone[1]
        assert found.tolist() == several[0].tolist()


@POSIX
def test_processes_on_the_cpu_wait_without_a_gpu_that_is_there(tmp_path: Path) -> None:
    together(2, wait_beside_gpus, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("waited-*")) == ["waited-0.pt", "waited-1.pt"]


@POSIX
def test_a_process_that_is_left_alone_says_so(tmp_path: Path) -> None:
    assert together(2, left_alone, tmp_path) == [0, 9]
    assert "Another process of this run has ended" in (tmp_path / "said").read_text()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 1000])
def test_portions_make_one_and_are_powers_of_two(count: int) -> None:
    portions = [Fraction(Processes(count, rank).portion) for rank in range(count)]
    assert sum(portions) == 1
    assert all(portion.numerator == 1 and portion.denominator.bit_count() == 1 for portion in portions)


@pytest.mark.parametrize(("rows", "count"), [(0, 3), (1, 3), (7, 3), (6, 2)])
def test_parts_hold_everything_once(rows: int, count: int) -> None:
    parts = [list(range(rows))[Processes(count, rank).own(rows)] for rank in range(count)]
    assert sorted(row for part in parts for row in part) == list(range(rows))


def test_alone_nothing_is_exchanged() -> None:
    values = torch.arange(3)
    alone = Processes()
    assert alone.share(lambda part: part, values) is values
    assert alone.tell("a") == "a"
    assert alone.writes
    with alone.first():
        alone.wait()


def test_processes_on_several_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="several machines"):
        Processes.current(CPU)


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.mark.usefixtures("second_of_two")
def test_each_of_several_processes_has_an_accelerator_of_its_own() -> None:
    """Also a model that is loaded before the processes know of each other lies on it."""
    assert own_accelerator(torch.device("cuda")) == torch.device("cuda:1")
    assert own_accelerator(CPU) == CPU


@pytest.mark.usefixtures("second_of_two")
def test_one_accelerator_for_all_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"the device can't be cuda:0 for all of them\. Give cuda"):
        own_accelerator(torch.device("cuda:0"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.raises(SettingsError, match="2 processes need 2 accelerators, one each, and this machine has 1"):
        own_accelerator(torch.device("cuda"))


@pytest.mark.parametrize("count", [None, "1", "many"])
def test_a_process_alone_takes_any_accelerator(monkeypatch: pytest.MonkeyPatch, count: str | None) -> None:
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    if count is not None:
        monkeypatch.setenv("WORLD_SIZE", count)
    assert own_accelerator(torch.device("cuda:3")) == torch.device("cuda:3")


@pytest.mark.parametrize(
    ("layers", "looks"),
    [
        ([nn.Linear(2, 2), nn.LayerNorm(2)], False),
        ([nn.Linear(2, 2), nn.BatchNorm1d(2)], True),
        ([nn.Linear(2, 2), nn.Dropout(0.1)], True),
        ([nn.Linear(2, 2), nn.Dropout(0.0)], False),
        ([nn.MultiheadAttention(2, 1, dropout=0.1)], True),
    ],
)
def test_what_looks_at_a_whole_batch_is_not_shared(layers: Sequence[nn.Module], looks: bool) -> None:
    assert looks_at_batches(nn.Sequential(*layers)) == looks
