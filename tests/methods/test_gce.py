"""Generalised cross-entropy, plain and truncated; constants from tests/reference/methods.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from deft.errors import SettingsError
from deft.losses import cross_entropy, generalized_cross_entropy
from deft.methods.cross_entropy import CE
from deft.methods.gce import GCE, TruncatedGCE

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LABELS = torch.tensor([0, 2])
GENERALISED = {0.7: [0.222031094, 1.387061171], 1.0: [0.214402965, 0.993622539]}
SLOPES = {9.21024036697585: -0.001584734703, 13.815509557963773: -6.309567135e-05, 27.63102111592755: -3.981071706e-09}


@pytest.mark.parametrize("q", GENERALISED)
def test_the_formula(q: float) -> None:
    torch.testing.assert_close(generalized_cross_entropy(LOGITS, LABELS, q=q), torch.tensor(GENERALISED[q]))


def test_towards_zero_it_is_cross_entropy() -> None:
    found = generalized_cross_entropy(LOGITS, LABELS, q=1e-6)
    torch.testing.assert_close(found, cross_entropy(LOGITS, LABELS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("log_odds", "slope"), SLOPES.items())
def test_the_gradient_is_finite_and_right_where_the_label_is_improbable(log_odds: float, slope: float) -> None:
    # By the power of a probability it would be 0 · ∞; at 1e-12 float32 rounds it to zero.
    logits = torch.tensor([[0.0, log_odds]], requires_grad=True)
    generalized_cross_entropy(logits, torch.tensor([0])).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 0]) == pytest.approx(slope, rel=2e-3, abs=1e-8)


def test_a_step_minimises_the_mean_after_the_warm_up(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [0, 2])
    method = GCE(warmup=1).build(problem.context)
    (warm,), (loss,) = method.losses(problem.train, 0), method.losses(problem.train, 1)
    torch.testing.assert_close(warm.detach(), cross_entropy(LOGITS, LABELS).mean())
    torch.testing.assert_close(loss.detach(), torch.tensor(GENERALISED[0.7]).mean())


def test_truncated_leaves_out_what_is_less_probable_than_k(score_run: ScoreRun) -> None:
    # p_y is 0.79 and 0.006: only the first stays, from a third of the epochs on.
    problem = score_run(LOGITS, [0, 2], epochs=6)
    method = TruncatedGCE().build(problem.context)
    (early,) = method.losses(problem.train, 1)
    (late,) = method.losses(problem.train, 2)
    torch.testing.assert_close(early.detach(), torch.tensor(GENERALISED[0.7]).mean())
    torch.testing.assert_close(late.detach(), torch.tensor(GENERALISED[0.7][0]) / 2)  # a mean over the batch
    assert method.state_dict()["kept"].tolist() == [True, False]


def test_a_batch_that_is_left_out_whole_has_no_gradient(score_run: ScoreRun) -> None:
    problem = score_run(LOGITS, [1, 2], epochs=3)
    method = TruncatedGCE().build(problem.context)
    (loss,) = method.losses(problem.train, 2)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in method.parameters())


def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong: CE repeats most of the wrong labels after 10 epochs.
    problem = table_run()
    plain, robust = problem.run(CE()), problem.run(GCE())
    assert problem.memorised(plain) > 0.6
    assert problem.memorised(robust) < 0.3
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1])
def test_an_exponent_outside_0_to_1(q: float) -> None:
    with pytest.raises(SettingsError, match="exponent"):
        GCE(q=q)
    with pytest.raises(SettingsError, match="exponent"):
        TruncatedGCE(q=q)


def test_a_border_that_is_no_probability() -> None:
    with pytest.raises(SettingsError, match="border"):
        TruncatedGCE(k=1.0)
