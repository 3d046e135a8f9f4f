"""ProMix: growing the clean set, priors that survive empty parts, and what it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.errors import SettingsError
from deft.methods.cross_entropy import CE
from deft.methods.promix import CHOSEN, OTHER, ProMix, agreed
from deft.training.loop import Training, epochs_of, fit
from deft.training.optimization import Optimization

RATE = 0.05  # the loss is a sum of up to eight: at 0.2 steps are too large for plain SGD


def sure(classes: list[int], level: float) -> Tensor:
    """Probabilities of four classes, one of them at a level."""
    probs = torch.full((len(classes), 4), (1 - level) / 3)
    probs[range(len(classes)), classes] = level
    return probs


def test_agreement_needs_both_networks_sure_of_the_same_class() -> None:
    first, second = sure([0, 1, 2, 3], 0.97), sure([0, 1, 2, 0], 0.97)
    second[1] = sure([1], 0.9)[0]
    chosen = torch.tensor([False] * 4)
    assert agreed(first, second, chosen, confident=0.95).tolist() == [True, False, True, False]


def test_agreement_fills_nine_tenths_of_a_batch_with_the_surest() -> None:
    probs = torch.cat([sure([0], level) for level in np.linspace(0.96, 0.99, 20)])
    chosen = torch.zeros(20, dtype=torch.bool)
    chosen[:4] = True
    added = agreed(probs, probs, chosen, confident=0.95)
    assert added.sum() == int(0.9 * 20) - 4
    assert torch.equal(added.nonzero().flatten(), torch.arange(6, 20))


@pytest.mark.parametrize("count", [0, 1, 20])
def test_agreement_adds_nothing_to_a_full_batch(count: int) -> None:
    probs = sure([0] * count, 0.99)
    assert not agreed(probs, probs, torch.ones(count, dtype=torch.bool), confident=0.95).any()


def priors(method: Training) -> Tensor:
    found: Tensor = method.state_dict()["priors"]
    return found


@pytest.mark.parametrize("share", [0.02, 1.0])
@pytest.mark.parametrize("batch_size", [1, 30])
def test_priors_stay_probabilities(share: float, batch_size: int, table_run: Any) -> None:
    problem = table_run(count=60, epochs=4, batch_size=batch_size)
    method = problem.run(ProMix(start_share=share, end_share=share, decay=0.5), rate=0.01)
    assert bool(torch.isfinite(priors(method)).all())
    torch.testing.assert_close(priors(method).sum(dim=2), torch.ones(2, 2))


def test_the_prior_of_an_empty_part_is_left_alone(table_run: Any) -> None:
    problem = table_run(count=60, classes=4, noise=0.0, epochs=3)
    method = problem.run(ProMix(start_share=1, end_share=1, decay=0.9), rate=RATE)
    assert torch.equal(priors(method)[:, OTHER], torch.full((2, 4), 0.25))
    assert not torch.equal(priors(method)[:, CHOSEN], torch.full((2, 4), 0.25))


def test_a_prior_is_a_running_mean_of_predictions(table_run: Any) -> None:
    """One batch of all samples, all of them chosen: π = m/K + (1 − m)·mean p of the weak view."""
    problem = table_run(count=40, noise=0.0, epochs=2)
    settings = ProMix(warmup=0, start_share=1, end_share=1, decay=0.75)
    method = settings.build(problem.context)
    (batch,) = problem.train.epoch(0, views=ProMix.views)
    first = problem.context.network(problem.context.seed)
    mean = first(batch.inputs).softmax(dim=1).mean(dim=0)
    list(method.losses(problem.train, 0))
    torch.testing.assert_close(priors(method)[0, CHOSEN], 0.75 * 0.25 + 0.25 * mean.detach())


def test_a_step_without_a_chosen_sample_changes_nothing(table_run: Any) -> None:
    """Batches of one: each network chooses one sample of each of two classes, the others have no gradient."""
    problem = table_run(count=12, classes=2, noise=0.0, batch_size=1, epochs=2)
    settings = ProMix(warmup=0, start_share=1 / 6, end_share=1 / 6, confident=1.0, guess_weight=0.0, agreement=0.0)
    method = settings.build(problem.context)
    teaching = 0
    for loss in method.losses(problem.train, 0):
        method.zero_grad()
        loss.backward()
        assert bool(torch.isfinite(loss.detach()))
        teaching += any(weight.grad is not None and bool(weight.grad.any()) for weight in method.parameters())
    assert 2 <= teaching <= 4


def test_confident_labels_are_chosen_beside_small_losses(table_run: Any) -> None:
    problem = table_run(count=60, classes=2, noise=0.0, epochs=6, spread=0.1)

    def others(confident: float) -> bool:
        settings = ProMix(start_share=0.1, end_share=0.1, confident=confident, agreement=0.0, decay=0.9)
        start = settings.build(problem.context)
        optimization = Optimization(RATE, precision="float32", schedule="constant")
        for _ in epochs_of(start, problem.train, epochs=3, optimization=optimization):
            pass
        before = priors(start)[:, OTHER].clone()
        list(start.losses(problem.train, 3))
        return not torch.equal(before, priors(start)[:, OTHER])

    assert others(1.0)
    assert not others(0.5)  # all labels are right and predicted, so every sample is chosen


def test_the_pseudo_head_alone_learns_from_guesses(table_run: Any) -> None:
    """With γ = 0 only chosen samples teach; the difference to γ > 0 is no gradient of the network's own head."""
    problem = table_run(count=40, epochs=2)

    def gradients(weight: float) -> dict[str, Tensor]:
        settings = ProMix(warmup=0, confident=1.0, agreement=0.0, guess_weight=weight, guess_epochs=100, ramp=0)
        method = settings.build(problem.context)
        first, *_ = method.losses(problem.train, 1)
        first.backward()
        return {name: value.grad for name, value in method.named_parameters() if value.grad is not None}

    without, beside = gradients(0.0), gradients(50.0)
    assert torch.equal(without["networks.first.head.weight"], beside["networks.first.head.weight"])
    assert not torch.equal(without["pseudo.0.weight"], beside["pseudo.0.weight"])


def test_it_learns_where_cross_entropy_memorises(table_run: Any) -> None:
    problem = table_run(noise=0.4, epochs=20)
    plain, robust = problem.run(CE(), rate=RATE), problem.run(ProMix(), rate=RATE)
    assert problem.memorised(plain) > 0.6
    assert problem.memorised(robust) < 0.2
    assert problem.accuracy(robust) > problem.accuracy(plain) + 0.2


@pytest.mark.parametrize("shape", [(3, 4, 4), (3, 5, 5), (6, 2)])
def test_images_of_any_size_and_tokens(shape: tuple[int, ...], table_run: Any) -> None:
    problem = table_run(count=80, shape=shape, epochs=4)
    assert bool(torch.isfinite(problem.run(ProMix(), rate=0.01).predict(problem.test_inputs)).all())


@pytest.mark.parametrize("preset", [ProMix.for_cifar10(0.7), ProMix.for_cifar100()])
def test_presets(preset: ProMix, table_run: Any) -> None:
    problem = table_run(count=80, epochs=600)
    method = preset.build(problem.context)
    optimization = Optimization(0.01, precision="float32")
    fit(method, problem.train, epochs=2, optimization=optimization)
    for epoch in (preset.warmup, 99, 100, 350):  # guesses end at 100, agreement begins at 350
        assert all(bool(torch.isfinite(loss.detach())) for loss in method.losses(problem.train, epoch))


@pytest.mark.parametrize("wrong", [{"confident": 1.5}, {"decay": 1.0}, {"warmup": -1}, {"start_share": -0.1}])
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        ProMix(**wrong)
