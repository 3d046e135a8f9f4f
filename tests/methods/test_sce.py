"""Symmetric cross-entropy; constants from tests/reference/methods.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from deft.errors import SettingsError
from deft.losses import cross_entropy, symmetric_cross_entropy
from deft.methods.cross_entropy import CE
from deft.methods.sce import SCE

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LABELS = torch.tensor([0, 2])
SYMMETRIC = {
    SCE(): [2.216035585, 14.206587022],
    SCE.for_cifar10(): [1.998855418, 9.65710031],
    SCE.for_cifar100(): [1.645340209, 31.245071591],
}


@pytest.mark.parametrize("method", SYMMETRIC)
def test_a_step_minimises_the_mean_of_the_formula(method: SCE, score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    (loss,) = method.build(problem.context).losses(problem.train, 0)
    torch.testing.assert_close(loss.detach(), torch.tensor(SYMMETRIC[method]).mean())


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.0, 1.0), (6.0, 0.1)])
def test_it_is_cross_entropy_and_a_scaled_absolute_error(alpha: float, beta: float) -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 5
    labels = torch.arange(50) % 7
    own = logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    expected = alpha * cross_entropy(logits, labels) + 9.210340371976182 * beta * (1 - own)
    torch.testing.assert_close(symmetric_cross_entropy(logits, labels, alpha=alpha, beta=beta), expected)


def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong. The reverse term is nine times the size of an absolute
    # error, so that the same rate would be far too large; the authors' weights for CIFAR-10 need a fifth of it.
    problem = table_run()
    plain = problem.run(CE(), rate=0.04)
    robust = problem.run(SCE.for_cifar10(), rate=0.04)
    assert problem.memorised(robust) < problem.memorised(plain)
    assert problem.accuracy(robust) > problem.accuracy(plain)


@pytest.mark.parametrize(("alpha", "beta"), [(-1.0, 1.0), (1.0, -1.0), (0.0, 0.0)])
def test_weights_that_make_no_loss(alpha: float, beta: float) -> None:
    with pytest.raises(SettingsError, match="weights"):
        SCE(alpha=alpha, beta=beta)
