"""The score pass: keyed by row, in evaluation mode, without augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.errors import ModelError
from deft.losses import cross_entropy
from deft.methods.parts.score_pass import score_losses, score_pass

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun


def test_values_stand_in_their_rows_however_the_rows_come(table_run: TableRun) -> None:
    rows = np.random.default_rng(0).permutation(60)[:23]
    problem = table_run(count=60, rows=rows.tolist(), batch_size=5)
    network = problem.context.network(0)
    found = score_losses(network, problem.train)
    with torch.no_grad():
        everything = cross_entropy(
            network(problem.train.loader.load(np.arange(60), None)), torch.from_numpy(problem.context.labels)
        )
    torch.testing.assert_close(found[rows], everything[rows])
    others = np.setdiff1d(np.arange(60), rows)
    assert found.shape == (60,)
    assert found[others].isnan().all()


def test_a_subset_that_holds_a_row_twice_or_none(table_run: TableRun) -> None:
    problem = table_run(count=20)
    network = problem.context.network(0)
    whole = score_losses(network, problem.train)
    part = score_losses(network, problem.train.subset(np.array([7, 3, 7])))
    torch.testing.assert_close(part[[3, 7]], whole[[3, 7]])
    assert int((~part.isnan()).sum()) == 2
    assert score_losses(network, problem.train.subset(np.array([], np.int64))).isnan().all()


def test_it_looks_in_evaluation_mode_and_goes_back(table_run: TableRun) -> None:
    problem = table_run(count=20)
    network = problem.context.network(0)
    modes: list[bool] = []

    def rows_of_two(inputs: Tensor, labels: Tensor) -> Tensor:
        modes.append(network.training)
        return torch.stack([labels.bfloat16(), labels.bfloat16()], dim=1).requires_grad_()

    network.train()
    table = score_pass(network, problem.train, rows_of_two)
    assert modes == [False] * len(problem.train)
    assert network.training
    assert (table.dtype, table.shape, table.requires_grad) == (torch.float32, (20, 2), False)
    network.eval()
    score_losses(network, problem.train)
    assert not network.training


def test_scores_that_are_no_numbers_stop_the_run(score_run: ScoreRun) -> None:
    problem = score_run([[0.0, 1.0], [float("nan"), 0.0]], [0, 1])
    with pytest.raises(ModelError, match="infinite or NaN"):
        score_losses(problem.context.network(0), problem.train)
