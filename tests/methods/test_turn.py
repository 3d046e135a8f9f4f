"""TURN: only the head first, then everything on as many clean labels of each class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from deft.errors import SettingsError
from deft.losses import generalized_cross_entropy
from deft.methods.cross_entropy import CE
from deft.methods.turn import TURN, balanced_quota
from deft.training.optimization import Optimization

if TYPE_CHECKING:
    from tests.methods.conftest import Problem, ScoreRun, TableRun


def two_classes(score_run: ScoreRun) -> Problem:
    """Class 0: thirty labels that fit, ten that don't. Class 1: ten and five. Nothing of class 2. Batches of one."""
    labels = np.repeat([0, 1], [40, 15])
    # The wrong labels of class 0 are easier than the right ones of class 1, so each needs its own mixture.
    margins = np.concatenate([np.linspace(5, 5.5, 30), [3.0] * 10, np.linspace(-3, -2.5, 10), [-8.0] * 5])
    scores = np.zeros((55, 3))
    scores[np.arange(55), labels] = margins
    return score_run(scores, labels, batch_size=1)


def drawn(problem: Problem, method: TURN, epoch: int = 5) -> list[int]:
    """The rows that an epoch trains on, told by their scores."""
    seen: list[int] = []
    built = method.build(problem.context)
    network = built.get_submodule("network")

    def look(module: nn.Module, inputs: tuple[torch.Tensor], _: torch.Tensor) -> None:
        if module.training:  # the pass that cleans runs in evaluation mode
            seen.append(int((problem.test_inputs == inputs[0]).all(dim=1).nonzero()[0]))

    network.register_forward_hook(look)
    for _ in built.losses(problem.train, epoch):
        pass
    return seen


def test_while_probing_only_the_head_learns(table_run: TableRun) -> None:
    problem = table_run(count=80)
    method = TURN().build(problem.context)
    modes: list[bool] = []
    body = method.get_submodule("network.body")
    body.register_forward_hook(lambda module, _, __: modes.append(module.training))
    (batch, *_), (loss, *_) = problem.train.epoch(0), method.losses(problem.train, 0)
    loss.backward()
    got = {name for name, weight in method.named_parameters() if weight.grad is not None}
    assert got == {"network.head.weight", "network.head.bias"}
    assert modes == [False] * len(modes) != []
    expected = generalized_cross_entropy(method.predict(batch.inputs), batch.labels, q=0.7).mean()
    torch.testing.assert_close(loss, expected)


def test_afterwards_everything_learns(table_run: TableRun) -> None:
    problem = table_run(count=80)
    method = TURN().build(problem.context)
    method.train()
    next(iter(method.losses(problem.train, 5))).backward()
    assert all(weight.grad is not None for weight in method.parameters())
    assert method.training


@pytest.mark.parametrize(
    ("optimization", "probe"),
    [
        (Optimization(learning_rate=5e-4), 0.1),
        (Optimization(learning_rate=1e-2, momentum=0.0), 0.1),  # ViT
        (Optimization(learning_rate=1e-3, optimizer="adamw"), 1e-3),  # ResNet
        (Optimization(learning_rate=1e-4, optimizer="adamw"), 1e-3),  # ConvNeXt, MAE
    ],
)
def test_the_head_has_a_rate_of_its_own_and_the_tuning_a_whole_schedule(
    table_run: TableRun, optimization: Optimization, probe: float
) -> None:
    context = replace(table_run(count=80).context, optimization=optimization)
    method = TURN().build(context)
    assert [method.stage(epoch, 10) for epoch in range(10)] == [None] * 5 + [(epoch, 5) for epoch in range(5)]
    assert [optimization.learning_rate * method.rate_scale(epoch) for epoch in range(5)] == pytest.approx([probe] * 5)
    assert [method.rate_scale(epoch) for epoch in range(5, 10)] == [1.0] * 5
    own = TURN(probe_rate=0.02).build(context)
    assert optimization.learning_rate * own.rate_scale(0) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("epochs", "probing", "begin"), [(10, 0.5, 5), (1, 0.5, 1), (3, 0.0, 0), (2, 1.0, 2), (20, 0.25, 5)]
)
def test_the_stages_are_shares_of_the_run(epochs: int, probing: float, begin: int, score_run: ScoreRun) -> None:
    problem = score_run([[1.0, 0.0]] * 4, [0] * 4, epochs=epochs)
    method = TURN(probing=probing).build(problem.context)
    assert [method.rate_scale(epoch) > 1 for epoch in range(epochs)] == [epoch < begin for epoch in range(epochs)]
    stages = [method.stage(epoch, epochs) for epoch in range(epochs)]
    assert stages == [None] * begin + [(epoch, epochs - begin) for epoch in range(epochs - begin)]


def test_each_class_gives_as_many_clean_labels(score_run: ScoreRun) -> None:
    problem = two_classes(score_run)
    rows = drawn(problem, TURN(floor=0.0))
    assert len(rows) == len(set(rows)) == 20
    assert sorted(row for row in rows if row >= 40) == list(range(40, 50))
    assert {row for row in rows if row < 40} < set(range(30))


def test_other_labels_are_drawn_in_the_next_epoch_and_the_same_again(score_run: ScoreRun) -> None:
    problem = two_classes(score_run)
    first, again, later = (set(drawn(problem, TURN(floor=0.0), epoch)) for epoch in (5, 5, 6))
    assert first == again != later


def test_a_poor_class_does_not_throw_away_the_rest() -> None:
    labels = np.repeat([0, 1, 3], [50, 40, 2])
    assert balanced_quota(labels, floor=0.0) == 2
    assert balanced_quota(labels, floor=0.5) == 16  # half of 92 / 3, rounded up
    assert balanced_quota(labels, floor=1.0) == 31
    assert balanced_quota(np.array([], np.int64), floor=0.5) == 0


def test_cleaning_again_every_few_epochs(score_run: ScoreRun) -> None:
    problem = two_classes(score_run)
    method = TURN(reclean_every=2).build(problem.context)
    list(method.losses(problem.train, 5))
    before = method.state_dict()["clean"].clone()
    assert before.sum() == 40
    problem.test_inputs.copy_(problem.test_inputs * 0 + 1)  # the loader reads this table: all losses are alike now
    list(method.losses(problem.train, 6))
    assert torch.equal(method.state_dict()["clean"], before)
    list(method.losses(problem.train, 7))
    assert method.state_dict()["clean"].all()


def test_rows_that_take_no_part_are_never_drawn(table_run: TableRun) -> None:
    rows = np.random.default_rng(2).permutation(200)[:60]
    problem = table_run(count=200, rows=rows.tolist(), epochs=2)
    clean = problem.run(TURN(probe_rate=0.2)).state_dict()["clean"].numpy()
    assert clean.any()
    assert set(np.flatnonzero(clean)) <= set(rows.tolist())


def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong; the rate of 0.2 suits the head as it is.
    problem = table_run()
    plain, robust = problem.run(CE()), problem.run(TURN(probe_rate=0.2))
    assert problem.memorised(robust) < 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.3


@pytest.mark.parametrize(
    "wrong",
    [{"probing": 1.1}, {"floor": -0.1}, {"probe_rate": 0.0}, {"q": 0.0}, {"threshold": 1.0}, {"reclean_every": 0}],
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        TURN(**wrong)  # type: ignore[arg-type]
