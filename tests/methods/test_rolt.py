"""RoLT: prototypes, running guesses and the target of four parts; constants from tests/reference/methods.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from deft.errors import SettingsError
from deft.losses import cross_entropy, soft_cross_entropy
from deft.methods.cross_entropy import CE
from deft.methods.parts.prototypes import centred, class_means, nearness
from deft.methods.rolt import RoLT, mixed_target
from deft.selection import two_component_posterior

if TYPE_CHECKING:
    from tests.methods.conftest import Problem, ScoreRun, TableRun

SHARES = (0.4, 0.2, 0.2, 0.2)
TARGET = [0.04, 0.24, 0.04, 0.64, 0.04]  # head says 3, prototypes say 1, the label says 3


def clusters(score_run: ScoreRun, *, batch_size: int = 100) -> tuple[Problem, np.ndarray]:
    """Three tight clusters of twelve; the last three of each are labelled as the next one. Also the true classes."""
    truth = np.repeat([0, 1, 2], 12)
    wrong = np.arange(36) % 12 >= 9
    rng = np.random.default_rng(0)
    scores = 4.0 * np.eye(3)[truth] + 0.2 * rng.normal(size=(36, 3))
    return score_run(scores, np.where(wrong, (truth + 1) % 3, truth), batch_size=batch_size), truth


def test_the_target_of_four_parts() -> None:
    given = torch.eye(5)[[3]]
    target = mixed_target(torch.tensor([3]), torch.tensor([1]), given, SHARES)
    torch.testing.assert_close(target, torch.tensor([TARGET]))
    assert float(target.sum()) == pytest.approx(1.0)


def test_one_soft_loss_is_the_weighted_sum_of_hard_ones() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 5, generator=draw) * 3
    erm, ncm, given = torch.randint(5, (3, 8), generator=draw)
    soft = soft_cross_entropy(logits, mixed_target(erm, ncm, torch.eye(5)[given], SHARES))
    parts = zip((0.4, 0.2, 0.2), (erm, ncm, given), strict=True)
    hard = sum((share * cross_entropy(logits, labels) for share, labels in parts), torch.zeros(8))
    for label in range(5):
        hard = hard + 0.2 / 5 * cross_entropy(logits, torch.full((8,), label))
    torch.testing.assert_close(soft, hard)


def test_clean_labels_are_targets_and_the_others_are_mixed(score_run: ScoreRun) -> None:
    problem, truth = clusters(score_run, batch_size=1)
    method = RoLT(start=0.0).build(problem.context)
    for batch, loss in zip(problem.train.epoch(0), method.losses(problem.train, 0), strict=True):
        row = int(batch.index)
        given, real = torch.eye(3)[problem.context.labels[row]], torch.eye(3)[truth[row]]
        # Head and prototypes agree on the truth here, so 0.4 and 0.2 come together.
        target = 0.6 * real + 0.2 * given + 0.2 / 3 if problem.context.labels[row] != truth[row] else given
        torch.testing.assert_close(loss.detach(), soft_cross_entropy(batch.inputs, target[None])[0])


def test_prototypes_are_refined_once_and_verdicts_stand_in_their_rows(table_run: TableRun) -> None:
    rows = np.random.default_rng(0).permutation(200)[:120]
    problem = table_run(count=200, rows=rows.tolist(), spread=1.5, batch_size=1)
    method = RoLT(start=0.0).build(problem.context)
    network = problem.context.network(0)  # of the same seed, so the same weights
    inputs, labels = problem.train.loader.load(rows, None), torch.from_numpy(problem.context.labels[rows])
    features = centred(network.features(inputs).detach())
    chosen, choices = torch.ones(120, dtype=torch.bool), []
    for _ in range(2):
        own = nearness(features, class_means(features, labels, chosen, 4)).gather(1, labels[:, None])
        posterior = two_component_posterior(-own[:, 0], seed=0, labels=labels, max_iter=100, tol=1e-3, reg_covar=1e-6)
        chosen = torch.from_numpy(posterior > 0.5)
        choices.append(chosen)
    assert not torch.equal(*choices)
    clean = dict(zip(rows.tolist(), chosen.tolist(), strict=True))
    for batch, loss in zip(problem.train.epoch(0), method.losses(problem.train, 0), strict=True):
        believed = torch.isclose(loss.detach(), cross_entropy(network(batch.inputs), batch.labels).detach()[0])
        assert bool(believed) == clean[int(batch.index)]


def test_before_its_start_it_is_cross_entropy(table_run: TableRun) -> None:
    problem = table_run(epochs=2)
    plain, same = problem.run(CE()), problem.run(RoLT(start=1.0))
    torch.testing.assert_close(plain.predict(problem.test_inputs), same.predict(problem.test_inputs))


def test_the_start_is_a_share_of_the_epochs(score_run: ScoreRun) -> None:
    problem, _ = clusters(score_run)
    method = RoLT().build(problem.context)  # of ten epochs
    early, late = (
        [float(loss.detach()) for epoch in epochs for loss in method.losses(problem.train, epoch)]
        for epochs in ((0, 1), (2, 3))
    )
    labels = torch.from_numpy(problem.context.labels)
    assert early == pytest.approx([float(cross_entropy(problem.test_inputs, labels).mean())] * 2, rel=1e-5)
    assert max(late) < min(early)  # the mixed targets ask for less than the wrong labels do


def test_no_correction_compounds(score_run: ScoreRun) -> None:
    problem, _ = clusters(score_run)
    method = RoLT().build(problem.context)
    for epoch in range(3):
        list(method.losses(problem.train, epoch))
    state = method.state_dict()
    mass = 1 - 0.6**3
    torch.testing.assert_close(state["erm.means"], problem.test_inputs * mass)
    assert state["ncm.updates"].tolist() == [3] * 36
    assert (state["ncm.means"] >= -4 * mass).all()


def test_an_absent_class_a_class_of_one_and_rows_that_take_no_part(table_run: TableRun) -> None:
    labels = np.array([0] * 20 + [2] * 20 + [4] + [1] * 5)  # nothing of class 3, and 1 takes no part
    problem = table_run(count=46, classes=5, labels=labels, rows=range(41), epochs=4)
    method = problem.run(RoLT())
    state = method.state_dict()
    assert state["erm.updates"].tolist() == [4] * 41 + [0] * 5
    guesses = state["ncm.means"][:41].argmax(dim=1)
    assert set(guesses.tolist()) <= {0, 2, 4}
    assert all(value.isfinite().all() for value in state.values())


def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong.
    problem = table_run()
    plain, robust = problem.run(CE()), problem.run(RoLT())
    assert problem.memorised(robust) < 0.3
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


def test_settings_that_make_no_sense() -> None:
    for wrong in ({"start": 1.5}, {"decay": 1.0}, {"shares": (0.5, 0.5, 0.5, -0.5)}, {"shares": (0.4, 0.2, 0.2, 0.1)}):
        with pytest.raises(SettingsError):
            RoLT(**wrong)
    assert RoLT.as_published().start == 0.4
