"""Small losses of each batch, with one network or two; the schedule is that of tests/reference/methods.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from deft.errors import ModelError, SettingsError
from deft.losses import cross_entropy
from deft.methods.co_teaching import CoTeaching
from deft.methods.cross_entropy import CE

if TYPE_CHECKING:
    from tests.methods.conftest import ScoreRun, TableRun

LEFT_OUT = {
    (0.4, 1, 4): [0.0, 0.4, 0.4, 0.4],
    (0.4, 3, 5): [0.0, 0.2, 0.4, 0.4, 0.4],
    (0.6, 2, 3): [0.0, 0.6, 0.6],
}
MARGINS = torch.linspace(2.0, -2.5, 10)
SCORES = torch.stack([MARGINS, torch.zeros(10)], dim=1)


@pytest.mark.parametrize("case", LEFT_OUT)
def test_the_share_that_is_left_out(case: tuple[float, int, int], score_run: ScoreRun) -> None:
    rate, warmup, _ = case
    problem = score_run(SCORES, [0] * 10, noise_rate=rate)
    method = CoTeaching(warmup=warmup).build(problem.context)
    ordered = cross_entropy(SCORES, torch.zeros(10, dtype=torch.int64))  # rises along the samples
    for epoch, left_out in enumerate(LEFT_OUT[case]):
        (loss,) = method.losses(problem.train, epoch)
        # The mean over those that are kept, not divided by their number once more.
        torch.testing.assert_close(loss.detach(), ordered[: round((1 - left_out) * 10)].mean())


def test_two_networks_learn_what_the_other_chose(table_run: TableRun) -> None:
    problem = table_run(count=40, noise_rate=0.4)
    method = CoTeaching(networks=2).build(problem.context)
    first, second = (method.get_submodule(f"networks.{number}") for number in (0, 1))
    (batch,) = problem.train.epoch(1)
    (loss,) = method.losses(problem.train, 1)
    losses = [cross_entropy(network(batch.inputs), batch.labels).detach() for network in (first, second)]
    kept = [values.argsort()[:24] for values in losses]
    assert set(kept[0].tolist()) != set(kept[1].tolist())
    exchanged = losses[0][kept[1]].mean() + losses[1][kept[0]].mean()
    torch.testing.assert_close(loss.detach(), exchanged)
    mean = (first(problem.test_inputs) + second(problem.test_inputs)) / 2
    torch.testing.assert_close(method.predict(problem.test_inputs), mean)


def test_an_estimate_comes_after_the_warm_up_and_stays(score_run: ScoreRun) -> None:
    margins = torch.cat([torch.linspace(3, 5, 70), torch.linspace(-5, -4, 30)])
    problem = score_run(torch.stack([margins, -margins], dim=1), [0] * 100)
    method = CoTeaching(noise_rate="estimate", warmup=2).build(problem.context)
    losses = cross_entropy(problem.test_inputs, torch.zeros(100, dtype=torch.int64))
    assert [float(loss.detach()) for epoch in (0, 1) for loss in method.losses(problem.train, epoch)] == pytest.approx(
        [float(losses.mean())] * 2
    )
    later = [float(loss.detach()) for epoch in (2, 3) for loss in method.losses(problem.train, epoch)]
    rate = float(method.state_dict()["rate"])
    assert rate == pytest.approx(0.3, abs=1e-3)
    assert later == pytest.approx([float(losses[: int(100 * (1 - rate))].mean())] * 2)


def test_a_batch_of_one_keeps_its_label(score_run: ScoreRun) -> None:
    problem = score_run([[0.0, 3.0]], [0], noise_rate=0.9)
    (loss,) = CoTeaching().build(problem.context).losses(problem.train, 1)
    assert float(loss.detach()) > 3


def test_without_noise_it_is_cross_entropy(table_run: TableRun) -> None:
    problem = table_run(epochs=2, noise_rate=0.0)
    plain, same = problem.run(CE()), problem.run(CoTeaching())
    torch.testing.assert_close(plain.predict(problem.test_inputs), same.predict(problem.test_inputs))


def test_losses_that_are_no_numbers_are_noticed(score_run: ScoreRun) -> None:
    problem = score_run([[float("nan"), 0.0]] * 4, [0] * 4, noise_rate=0.4)
    with pytest.raises(ModelError, match="step 1"):
        problem.run(CoTeaching())


@pytest.mark.parametrize(
    "method", [CoTeaching(), CoTeaching(networks=2), CoTeaching(noise_rate="estimate")], ids=["one", "two", "estimate"]
)
def test_fewer_wrong_labels_are_learned_than_by_cross_entropy(method: CoTeaching, table_run: TableRun) -> None:
    # 5 380 weights for 400 samples of which 40 % are wrong.
    problem = table_run(noise_rate=0.4)
    plain, robust = problem.run(CE()), problem.run(method)
    assert problem.memorised(robust) < 0.3
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


def test_it_has_to_be_told_the_noise_rate(score_run: ScoreRun) -> None:
    with pytest.raises(SettingsError, match="CoTeaching needs the share of wrong labels"):
        CoTeaching().build(score_run(SCORES, [0] * 10).context)
    with pytest.raises(SettingsError, match="0 ≤ r < 1"):
        CoTeaching().build(score_run(SCORES, [0] * 10, noise_rate=1.0).context)
    CoTeaching(noise_rate="estimate").build(score_run(SCORES, [0] * 10).context)


def test_settings_that_make_no_sense() -> None:
    for wrong in ({"networks": 3}, {"warmup": 0}, {"noise_rate": "guess"}):
        with pytest.raises(SettingsError):
            CoTeaching(**wrong)
    assert CoTeaching.as_published().networks == 2
