"""The training loop on a GPU: number formats, checkpoints that open on either device, and NCCL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.data.image_spec import ImageSpec, Margin
from deft.data.load import load_images
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.checkpoint import Checkpoint, checkpoint_notes
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore
from deft.training.precision import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ROWS = 64


class Table(Loader):
    """Eight numbers a row, with noise where a view is drawn."""

    def __init__(self, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(0)
        self.values = torch.randn(ROWS, 8, generator=generator)
        self.device = device

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        noise = 0 if rng is None else torch.from_numpy(rng.normal(size=(len(rows), 8)) / 10).float()
        return (self.values[torch.from_numpy(rows)] + noise).to(self.device)


class Layers(Training):
    """Two layers and dropout, which draws on the device."""

    def __init__(self, device: torch.device, *, dropout: float = 0.0, stop_at: int | None = None) -> None:
        super().__init__()
        with torch.random.fork_rng():  # a seed is every device's
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 3)).to(device)
        self.stop_at = stop_at

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if epoch == self.stop_at:
            raise KeyboardInterrupt
        for batch in train.epoch(epoch):
            yield nn.functional.cross_entropy(self.predict(batch.inputs).float(), batch.labels)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.net(inputs)
        return scores


def samples(device: torch.device) -> Batches:
    loader = Table(device)
    labels = loader.values[:, :3].argmax(dim=1).numpy()
    return Batches(loader, labels, np.arange(ROWS), batch_size=16, seed=3, device=device)


def learn(method: Layers, device: torch.device, precision: Precision, checkpoint: Checkpoint | None = None) -> Tensor:
    """The weights after six epochs, on the CPU."""
    settings = Optimization(learning_rate=0.02, optimizer="adamw", precision=precision, clip=1.0)
    fit(method, samples(device), epochs=6, optimization=settings, checkpoint=checkpoint)
    return torch.cat([value.flatten().cpu() for value in method.state_dict().values()])


def stopped(path: Path, device: torch.device, precision: Precision, dropout: float = 0.0) -> None:
    """Leave the checkpoint of a run that was stopped after three epochs."""
    with pytest.raises(KeyboardInterrupt):
        learn(Layers(device, dropout=dropout, stop_at=3), device, precision, Checkpoint(path, "a"))
    assert checkpoint_notes(path)["epochs"] == 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path, precision: Precision) -> None:
    """With dropout, whose draws belong to the epoch; in float16 the scale of the gradients goes on as well."""
    unbroken = learn(Layers(GPU, dropout=0.3), GPU, precision)
    path = tmp_path / "checkpoint.safetensors"
    stopped(path, GPU, precision, dropout=0.3)
    assert bool(checkpoint_notes(path)["scaler"]) == (precision == "float16")
    resumed = learn(Layers(GPU, dropout=0.3), GPU, precision, Checkpoint(path, "a", resume=True))
    torch.testing.assert_close(resumed, unbroken, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("one", "other"), [(GPU, CPU), (CPU, GPU)])
def test_a_checkpoint_goes_on_on_another_device(tmp_path: Path, one: torch.device, other: torch.device) -> None:
    path = tmp_path / "checkpoint.safetensors"
    stopped(path, one, "float32")
    moved = learn(Layers(other), other, "float32", Checkpoint(path, "a", resume=True))
    torch.testing.assert_close(moved, learn(Layers(CPU), CPU, "float32"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_it_learns_what_the_cpu_learns(precision: Precision) -> None:
    here, there = learn(Layers(GPU), GPU, precision), learn(Layers(CPU), CPU, "float32")
    assert float((here - there).norm() / there.norm()) < (1e-3 if precision == "float32" else 0.05)


def test_what_others_draw_goes_on_as_if_nothing_had_been_trained() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3, device=GPU)
    torch.manual_seed(5)
    learn(Layers(GPU, dropout=0.5), GPU, "float32")
    assert torch.equal(torch.rand(3, device=GPU), expected)


class InTurn(PixelLoader):
    """Reads a batch when its turn has come, and not before."""

    ahead = Loader.ahead


def test_batches_read_ahead_are_those_read_in_turn(tmp_path: Path) -> None:
    """Pinned memory is used again and again while copies of it wait for the card; nothing may be overwritten."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(200, 64, 64, 3), dtype=np.uint8)
    images = load_images(pixels, labels=np.arange(200) % 2, classes=["cat", "dog"])
    spec = ImageSpec(56, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), margin=Margin(64))
    work = torch.randn(4096, 4096, device=GPU)
    with PixelStore.build(images, spec, tmp_path) as store:
        ahead, turn = (
            Batches(loader(store, spec, GPU), images.labels, np.arange(200), batch_size=8, seed=0, device=GPU)
            for loader in (PixelLoader, InTurn)
        )
        for epoch in range(4):
            found = []
            for batch in ahead.epoch(epoch, views=("weak", "strong")):
                for _ in range(20):
                    work @ work  # so that the card is behind
                found.append(batch)
            for batch, other in zip(found, turn.epoch(epoch, views=("weak", "strong")), strict=True):
                assert torch.equal(batch.index, other.index)
                assert torch.equal(batch.labels, other.labels)
                assert all(torch.equal(*pair) for pair in zip(batch.views, other.views, strict=True))


ONE_RANK = """
import torch
from accelerate import PartialState
from deft.training.processes import Processes, _Gather
state = PartialState()
assert torch.distributed.get_backend() == "nccl", torch.distributed.get_backend()
alone = Processes()
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    rows = torch.arange(6.0, device=state.device).to(dtype).view(3, 2).requires_grad_()
    found = _Gather.apply(rows, alone, 3)
    (found * 2).sum().backward()
    assert torch.equal(found, rows), dtype
    assert torch.equal(rows.grad, torch.full_like(rows, 2)), dtype
several = Processes(count=2, rank=0)  # the sum over the one process that there is, times its portion
weight = torch.nn.Parameter(torch.ones(2, device=state.device))
weight.grad = torch.tensor([2.0, 4.0], device=state.device)
several.join_gradients([weight])
assert weight.grad.tolist() == [1.0, 2.0]
assert several.tell({"folder": "here"}) == {"folder": "here"}
several.wait()
torch.distributed.destroy_process_group()
print("one rank of NCCL")
"""


def test_nccl_carries_what_processes_exchange() -> None:
    """With one GPU there is one rank: it shows that every exchange takes what it is given, not that sums are right."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    there = {**os.environ, **place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    typed = [sys.executable, "-W", "ignore", "-c", ONE_RANK]
    result = subprocess.run(typed, capture_output=True, text=True, env=there, check=False, timeout=120)
    assert "one rank of NCCL" in result.stdout, result.stderr[-2000:]
