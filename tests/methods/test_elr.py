"""Early-learning regularisation; constants from tests/reference/methods.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from deft.errors import SettingsError
from deft.losses import agreement_penalty
from deft.methods.cross_entropy import CE
from deft.methods.elr import ELR

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LOSS_RAW, LOSS_CORRECTED = 1.125883825, -2.350064993  # of the second pass over the same predictions
MASS_TWO, MASS_TEN = 0.51, 0.65132156


@pytest.mark.parametrize(("corrected", "expected"), [(False, LOSS_RAW), (True, LOSS_CORRECTED)])
def test_the_formula_with_the_target_taken_in_before_the_loss(
    corrected: bool, expected: float, score_run: ScoreRun
) -> None:
    problem = score_run(LOGITS, [0, 2])
    method = ELR(corrected=corrected).build(problem.context)
    for epoch in (0, 1):
        (loss,) = method.losses(problem.train, epoch)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-5)
    # Had the loss come first, its target would be that of one pass.
    assert float(method.state_dict()["targets.means"][0].sum()) == pytest.approx(MASS_TWO, abs=1e-6)


def test_the_mass_of_a_target_grows_with_the_epochs(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    method = ELR(beta=0.9).build(problem.context)
    for epoch in range(10):
        list(method.losses(problem.train, epoch))
    state = method.state_dict()
    torch.testing.assert_close(state["targets.means"].sum(dim=1), torch.full((2,), MASS_TEN))
    assert state["targets.updates"].tolist() == [10, 10]


def test_the_penalty_pulls_towards_the_target() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.0]], requires_grad=True)
    agreement_penalty(logits.softmax(dim=1), torch.tensor([[0.9, 0.1, 0.0]])).sum().backward()
    assert logits.grad is not None
    # A step goes against the gradient: up for the class that was said before, down for the one that never was.
    assert float(logits.grad[0, 0]) < 0 < float(logits.grad[0, 2])


def test_no_gradient_flows_through_the_target(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    method = ELR().build(problem.context)
    (loss,) = method.losses(problem.train, 0)
    loss.backward()
    assert not method.state_dict()["targets.means"].requires_grad


def test_without_a_weight_it_is_cross_entropy(table_run: TableRun) -> None:
    problem = table_run(epochs=2)
    plain, same = problem.run(CE()), problem.run(ELR(weight=0.0))
    assert torch.equal(plain.predict(problem.test_inputs), same.predict(problem.test_inputs))


def test_rows_that_take_no_part_keep_an_empty_target(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS.repeat(2, 1), [0, 2, 1, 1], rows=[3, 1])
    method = ELR().build(problem.context)
    list(method.losses(problem.train, 0))
    assert method.state_dict()["targets.updates"].tolist() == [0, 1, 0, 1]


def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong: so steep a start needs the targets in full at once.
    problem = table_run()
    plain, robust = problem.run(CE()), problem.run(ELR(corrected=True))
    assert problem.memorised(robust) < problem.memorised(plain) - 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.1


def test_presets_and_a_share_that_is_none() -> None:
    assert (ELR.as_in_deft().beta, ELR.as_in_deft().weight) == (0.3, 5.0)
    assert (ELR.for_cifar100().beta, ELR.for_cifar100().weight) == (0.9, 7.0)
    with pytest.raises(SettingsError, match="below 1"):
        ELR(beta=1.0)
