"""The step that UNICON and LongReMix share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.losses import brier, prior_penalty, soft_cross_entropy
from deft.methods.parts.mixmatch import Guessed, guess, mixmatch_loss, refine
from deft.methods.parts.pseudo_labels import co_guess, co_refine, one_hot, probabilities
from deft.methods.parts.two_networks import TwoNetworks


class Recorder(nn.Module):
    """A linear network that remembers how many samples it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        nn.init.constant_(self.layer.weight, 0.1)
        self.layer.weight.data[0] = 0.5
        nn.init.zeros_(self.layer.bias)
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(len(inputs))
        scores: Tensor = self.layer(inputs)
        return scores


def samples(count: int, seed: int) -> Guessed:
    generator = torch.Generator().manual_seed(seed)
    views = torch.randn(2, count, 4, generator=generator)
    return Guessed((views[0], views[1]), torch.randn(count, 3, generator=generator).softmax(dim=1))


def loss_of(network: nn.Module, known: Guessed, unknown: Guessed | None, *, weight: float, alpha: float = 0) -> Tensor:
    return mixmatch_loss(network, known, unknown, alpha=alpha, weight=weight, rng=np.random.default_rng(0))


def test_unmixed_it_is_the_sum_of_three_losses() -> None:
    network, known, unknown = Recorder(), samples(5, 0), samples(7, 1)
    first = network(torch.cat(known.views))
    second = network(torch.cat(unknown.views))
    expected = (
        soft_cross_entropy(first, known.targets.repeat(2, 1)).mean()
        + 3 * brier(second, unknown.targets.repeat(2, 1)).mean()
        + prior_penalty(torch.cat([first, second]))
    )
    torch.testing.assert_close(loss_of(network, known, unknown, weight=3), expected)


def test_samples_of_both_parts_are_mixed_with_each_other() -> None:
    network, known, unknown = Recorder(), samples(5, 0), samples(7, 1)
    mixed, unmixed = (loss_of(network, known, unknown, weight=3, alpha=alpha) for alpha in (4, 0))
    assert not torch.isclose(mixed, unmixed)
    # Without a weight on guesses they still enter the mixtures of the labelled.
    alone, beside = (loss_of(network, known, other, weight=0, alpha=4) for other in (None, unknown))
    assert not torch.isclose(alone, beside)


@pytest.mark.parametrize(("weight", "forwarded"), [(0.0, 10), (1.0, 24)])
def test_without_weight_only_labelled_mixtures_are_forwarded(weight: float, forwarded: int) -> None:
    network = Recorder()
    loss_of(network, samples(5, 0), samples(7, 1), weight=weight)
    assert network.seen == [forwarded]


@pytest.mark.parametrize("unknown", [None, 0, 1, 3])
@pytest.mark.parametrize("known", [0, 1, 3])
def test_small_and_empty_parts_are_finite(known: int, unknown: int | None) -> None:
    network = Recorder()
    other = None if unknown is None else samples(unknown, 1)
    loss = loss_of(network, samples(known, 0), other, weight=25, alpha=4)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert network.layer.weight.grad is not None
    assert bool(torch.isfinite(network.layer.weight.grad).all())


def test_targets_come_from_the_first_views_and_training_from_the_last(table_run: Any) -> None:
    problem = table_run(count=20)
    networks = TwoNetworks(problem.context)
    batch = next(problem.train.epoch(0, views=("weak", "weak", "strong", "strong")))
    weights = torch.linspace(0, 1, 20)

    known = refine(networks.first, batch, weights, classes=4, temperature=0.5)
    seen = [probabilities(networks.first, view) for view in batch.views[:2]]
    expected = co_refine(one_hot(batch.labels, 4), weights[batch.index], seen, 0.5)
    torch.testing.assert_close(known.targets, expected)
    assert known.views == batch.views[2:]

    unknown = guess(networks, batch, temperature=0.5)
    assert unknown is not None
    seen = [probabilities(network, view) for view in batch.views[:2] for network in networks.both]
    torch.testing.assert_close(unknown.targets, co_guess(seen, 0.5))
    assert unknown.views == batch.views[2:]
    assert not unknown.targets.requires_grad


def test_guessing_from_nothing_is_nothing(table_run: Any) -> None:
    assert guess(TwoNetworks(table_run(count=8).context), None, temperature=0.5) is None
