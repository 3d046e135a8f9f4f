"""Two networks: different starts, orders of their own, a restart, and loaders that go round."""

from __future__ import annotations

from typing import Any

import torch

from deft.methods.parts.two_networks import TwoNetworks, paired, plain_epoch


def test_the_networks_differ_and_are_asked_together(table_run: Any) -> None:
    problem = table_run(count=40)
    networks = TwoNetworks(problem.context)
    first, second = (network(problem.test_inputs) for network in networks.both)
    assert not torch.equal(first, second)
    torch.testing.assert_close(networks(problem.test_inputs), (first + second) / 2)


def test_agreement_is_the_labels_share_of_the_mean_prediction(table_run: Any) -> None:
    problem = table_run(count=40)
    networks = TwoNetworks(problem.context)
    inputs, labels = problem.test_inputs[:9], torch.arange(9) % 4
    mean = sum(network(inputs).softmax(dim=1) for network in networks.both) / 2
    torch.testing.assert_close(networks.agreement(inputs, labels), mean[range(9), labels])


def test_a_restart_brings_back_the_first_weights_in_the_same_tensors(table_run: Any) -> None:
    networks = TwoNetworks(table_run(count=40).context)
    start = {name: value.clone() for name, value in networks.state_dict().items()}
    held = list(networks.parameters())
    with torch.no_grad():
        for weight in held:
            weight.add_(1)
    networks.restart()
    assert all(torch.equal(value, start[name]) for name, value in networks.state_dict().items())
    assert all(now is before for now, before in zip(networks.parameters(), held, strict=True))


def test_each_network_sees_all_samples_in_an_order_of_its_own(table_run: Any) -> None:
    problem = table_run(count=40, batch_size=10)
    network = TwoNetworks(problem.context).first
    first, second = (
        [float(loss.detach()) for loss in plain_epoch(network, problem.train, 0, number=number)] for number in (0, 1)
    )
    assert len(first) == len(second) == 4
    assert first != second


def test_the_confidence_penalty_lowers_the_loss_by_the_entropy(table_run: Any) -> None:
    problem = table_run(count=40, batch_size=40)
    network = TwoNetworks(problem.context).first
    (plain,) = plain_epoch(network, problem.train, 0, number=0)
    (penalised,) = plain_epoch(network, problem.train, 0, number=0, confidence_penalty=1.0)
    assert 0 < float((plain - penalised).detach()) <= 1.3863  # ln 4


def test_the_shorter_part_begins_again_in_another_order(table_run: Any) -> None:
    problem = table_run(count=40, batch_size=4)
    rows = problem.train.rows
    labelled, unlabelled = problem.train.subset(rows[:8], stream=1), problem.train.subset(rows[8:], stream=2)
    pairs = list(paired(labelled, unlabelled, 0, steps=8, views=("weak",)))
    seen = [known.index.tolist() for known, _ in pairs]
    for turn in range(0, 8, 2):
        assert sorted(seen[turn] + seen[turn + 1]) == list(range(8))
    assert len({tuple(seen[turn] + seen[turn + 1]) for turn in range(0, 8, 2)}) > 1
    assert sorted(row for _, other in pairs if other is not None for row in other.index.tolist()) == list(range(8, 40))


def test_an_empty_part_gives_none(table_run: Any) -> None:
    problem = table_run(count=8, batch_size=4)
    nothing = problem.train.subset([], stream=2)
    pairs = list(paired(problem.train, nothing, 0, steps=3, views=("weak",)))
    assert [other for _, other in pairs] == [None, None, None]
