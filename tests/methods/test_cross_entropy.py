"""Cross-entropy: the mean over a batch, and what it does with wrong labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from deft.losses import cross_entropy
from deft.methods.cross_entropy import CE
from deft.training.processes import Processes

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])


def test_a_step_minimises_the_mean(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    (loss,) = CE().build(problem.context).losses(problem.train, 0)
    torch.testing.assert_close(loss.detach(), cross_entropy(LOGITS, torch.tensor([0, 2])).mean())


def test_each_of_several_processes_has_the_loss_of_the_whole_batch(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    problem.train.processes = Processes(count=3, rank=2)
    (loss,) = CE().build(problem.context).losses(problem.train, 0)
    torch.testing.assert_close(loss.detach(), cross_entropy(LOGITS, torch.tensor([0, 2])).mean())


def test_right_labels_are_learned_and_wrong_ones_too(table_run: TableRun) -> None:
    clean, noisy = table_run(noise=0.0), table_run()
    assert clean.accuracy(clean.run(CE())) > 0.95
    # 5 380 weights for 400 samples: what the other methods' tests call memorising.
    learned = noisy.run(CE())
    assert noisy.memorised(learned) > 0.6
    assert noisy.accuracy(learned) < 0.7
