"""Two real processes train as one does: the same weights from halves of each batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from deft.training.processes import Processes

PROGRAM = """
import sys

import numpy as np
import torch
from torch import nn

from deft.training.batches import Batches, Loader
from deft.training.loop import fit
from deft.classifiers.base import Classifier
from deft.methods.base import TrainingContext
from deft.methods.elr import ELR
from deft.methods.parts.score_pass import score_losses
from deft.training.optimization import Optimization
from deft.training.processes import Processes


class Table(Loader):
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))

    def load(self, rows, rng, view="weak"):
        return self.values[torch.from_numpy(rows)]


class Net(Classifier):
    width, classes = 4, 3

    def __init__(self, seed):
        super().__init__()
        self.head = nn.Linear(4, 3)
        nn.init.constant_(self.head.weight, 0.1)
        nn.init.zeros_(self.head.bias)

    def features(self, inputs):
        return inputs

    def classify(self, features):
        return self.head(features)


cpu = torch.device("cpu")
processes = Processes.current(cpu)
labels = np.random.default_rng(0).integers(0, 3, 50)
# 48 of the 50 rows, so that every batch of 16 has two equal halves.
train = Batches(Table(), labels, np.arange(48), batch_size=16, seed=0, device=cpu, processes=processes)
context = TrainingContext(Net, labels, np.arange(48), 3, 3, 0, cpu)
method = fit(ELR().build(context), train, epochs=3, optimization=Optimization(clip=0.5, precision="float32"))
losses = score_losses(method.network, train)
uneven = processes.gather(torch.arange(processes.rank + 1))
if processes.writes:
    torch.save({"state": method.state_dict(), "losses": losses, "uneven": uneven}, sys.argv[1])
processes.wait()
if processes.count > 1:
    torch.distributed.destroy_process_group()
"""


def run(folder: Path, count: int) -> dict[str, torch.Tensor]:
    """Run the program in `count` processes; what the first of them wrote."""
    program, result = folder / "program.py", folder / f"{count}.pt"
    program.write_text(PROGRAM)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []
    for rank in range(count):
        there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        if count > 1:
            there |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            there |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        environment = {**os.environ, **there, "OMP_NUM_THREADS": "1"}
        running.append(subprocess.Popen([sys.executable, str(program), str(result)], env=environment))
    assert [process.wait(timeout=120) for process in running] == [0] * count
    found: dict[str, torch.Tensor] = torch.load(result, weights_only=True)
    return found


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    alone, together = run(tmp_path, 1), run(tmp_path, 2)
    state, shared = dict(alone["state"]), dict(together["state"])
    assert set(state) == set(shared)
    for name, value in state.items():
        torch.testing.assert_close(shared[name], value, rtol=1e-5, atol=1e-6, msg=name)
    torch.testing.assert_close(together["losses"], alone["losses"], rtol=1e-5, atol=1e-6, equal_nan=True)
    assert together["uneven"].tolist() == [0, 0, 1]


def test_alone_nothing_is_exchanged() -> None:
    values = torch.arange(3)
    assert Processes().gather(values) is values
    assert Processes().writes
