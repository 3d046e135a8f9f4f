"""Selection by a mixture over the losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from deft.errors import SettingsError
from deft.losses import cross_entropy
from deft.methods.cross_entropy import CE
from deft.methods.gmm import GMM

if TYPE_CHECKING:
    from tests.methods.conftest import Problem, ScoreRun, TableRun

RIGHT = 14


def two_groups(score_run: ScoreRun, *, batch_size: int = 100) -> Problem:
    """Twenty samples of class 0: fourteen that look like it, six that look like class 1."""
    margins = np.concatenate([np.linspace(3, 5, RIGHT), np.linspace(-5, -4, 6)])
    scores = np.stack([margins, -margins, np.full(20, -9.0)], axis=1)
    return score_run(scores, [0] * 20, batch_size=batch_size)


def test_after_the_warm_up_only_the_clean_ones_count(score_run: ScoreRun) -> None:
    problem = two_groups(score_run)
    method = GMM(warmup=1).build(problem.context)
    (warm,), (late,) = method.losses(problem.train, 0), method.losses(problem.train, 1)
    losses = cross_entropy(problem.test_inputs, torch.from_numpy(problem.context.labels))
    torch.testing.assert_close(warm.detach(), losses.mean())
    torch.testing.assert_close(late.detach(), losses[:RIGHT].mean())


def test_a_batch_without_a_clean_label_moves_nothing(score_run: ScoreRun) -> None:
    problem = two_groups(score_run, batch_size=1)
    method = GMM(warmup=0).build(problem.context)
    moving = {}
    for batch, loss in zip(problem.train.epoch(0), method.losses(problem.train, 0), strict=True):
        moving[int(batch.index)] = loss.requires_grad
        assert float(loss.detach()) == 0 or loss.requires_grad
    assert [moving[row] for row in range(20)] == [True] * RIGHT + [False] * 6


def test_losses_that_are_all_the_same_are_all_kept(score_run: ScoreRun) -> None:
    problem = score_run([[1.0, 0.0]] * 7, [0] * 7)
    method = GMM(warmup=0).build(problem.context)
    (loss,) = method.losses(problem.train, 0)
    assert float(loss.detach()) == pytest.approx(0.313261688, abs=1e-6)


def test_one_outlier_spoils_no_choice(score_run: ScoreRun) -> None:
    margins = np.concatenate([np.linspace(3, 5, 140), np.linspace(-5, -4, 60), [-1e4]])
    problem = score_run(np.stack([margins, -margins], axis=1), [0] * 201, batch_size=201)
    (loss,) = GMM(warmup=0).build(problem.context).losses(problem.train, 0)
    losses = cross_entropy(problem.test_inputs, torch.from_numpy(problem.context.labels))
    torch.testing.assert_close(loss.detach(), losses[:140].mean())


def test_per_class_each_class_has_its_own_mixture(score_run: ScoreRun) -> None:
    # The wrong labels of class 0 are easier than the right ones of class 1; class 2 has one sample, class 3 none.
    margins = np.concatenate([np.linspace(5.0, 5.2, 10), [3.0] * 5, np.linspace(-3.2, -3.0, 10), [-8.0] * 5, [0.5]])
    labels = np.repeat([0, 1, 2], [15, 15, 1])
    scores = np.zeros((31, 4))
    scores[np.arange(31), labels] = margins
    problem = score_run(scores, labels.tolist(), batch_size=1)
    kept = {}
    for per_class in (False, True):
        losses = GMM(warmup=0, per_class=per_class).build(problem.context).losses(problem.train, 0)
        pairs = zip(problem.train.epoch(0), losses, strict=True)
        kept[per_class] = {int(batch.index) for batch, loss in pairs if loss.requires_grad}
    assert kept[True] == {*range(10), *range(15, 25), 30}
    assert not kept[False] & {*range(15, 25)}


def test_losses_of_several_passes_are_averaged(score_run: ScoreRun) -> None:
    problem = two_groups(score_run)
    method = GMM(warmup=0, history=3).build(problem.context)
    list(method.losses(problem.train, 0))
    first = method.state_dict()["past"]
    assert first.shape == (3, 20)
    assert first[1:].isnan().all()
    # A network that changes its mind for one pass is outvoted by the two before it.
    list(method.losses(problem.train, 1))
    values = problem.test_inputs.clone()
    problem.test_inputs[:] = values[:, [1, 0, 2]]  # the loader reads this table
    (loss,) = method.losses(problem.train, 2)
    losses = cross_entropy(problem.test_inputs, torch.from_numpy(problem.context.labels))
    torch.testing.assert_close(loss.detach(), losses[:RIGHT].mean())
    torch.testing.assert_close(method.state_dict()["past"][1:], torch.stack([first[0]] * 2))


def test_rows_that_take_no_part_are_no_part_of_the_mixture(table_run: TableRun) -> None:
    rows = np.random.default_rng(1).permutation(400)[:100]
    problem = table_run(rows=rows.tolist(), epochs=2)
    past = problem.run(GMM()).state_dict()["past"][0]
    assert np.flatnonzero(~past.isnan().numpy()).tolist() == sorted(rows)


def test_in_the_warm_up_it_is_cross_entropy(table_run: TableRun) -> None:
    problem = table_run(epochs=2)
    plain, same = problem.run(CE()), problem.run(GMM(warmup=2))
    assert torch.equal(plain.predict(problem.test_inputs), same.predict(problem.test_inputs))


@pytest.mark.parametrize("method", [GMM(), GMM(history=5), GMM(per_class=True)])
def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(method: GMM, table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong.
    problem = table_run()
    plain, robust = problem.run(CE()), problem.run(method)
    assert problem.memorised(robust) < problem.memorised(plain) - 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.1


def test_settings_that_make_no_sense() -> None:
    for wrong in ({"threshold": 1.0}, {"threshold": -0.1}, {"warmup": -1}, {"history": 0}):
        with pytest.raises(SettingsError):
            GMM(**wrong)
    assert GMM.for_real_noise().warmup == 5
