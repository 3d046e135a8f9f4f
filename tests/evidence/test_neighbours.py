"""The nearest neighbours: nobody vouches for himself, and no copy does."""

from __future__ import annotations

import torch
from torch import Tensor

from deft.evidence.neighbours import Neighbours


def data(count: int = 120) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(count) % 3
    middle = 3 * torch.randn(3, 8, generator=generator)
    return middle[labels] + torch.randn(count, 8, generator=generator), labels


def test_the_neighbours_name_the_class_of_an_image_whose_label_is_wrong() -> None:
    features, truth = data()
    given = truth.clone()
    given[0] = (truth[0] + 1) % 3
    shares, copies = Neighbours.fit(features, given, classes=3).compare(features, given)
    assert int(shares[0].argmax()) == int(truth[0])
    assert copies.tolist() == [1] * len(truth)


def test_copies_with_the_same_wrong_label_do_not_vouch_for_each_other() -> None:
    features, truth = data()
    wrong = (truth[:1] + 1) % 3
    features = torch.cat([features, features[:1].repeat(30, 1)])
    given = torch.cat([wrong, truth[1:], wrong.repeat(30)])
    shares, copies = Neighbours.fit(features, given, classes=3).compare(features, given)
    assert int(copies[0]) == 31
    assert int(shares[0].argmax()) == int(truth[0])


def test_images_of_one_picture_do_not_vouch_for_each_other_though_they_differ() -> None:
    features, truth = data()
    wrong = (truth[:1] + 1) % 3
    frames = features[:1] + 0.3 * torch.randn(30, 8, generator=torch.Generator().manual_seed(2))
    features, given = torch.cat([features, frames]), torch.cat([wrong, truth[1:], wrong.repeat(30)])
    fitted = Neighbours.fit(features, given, classes=3)
    assert int(fitted.compare(features[:1], wrong)[0].argmax()) == int(wrong)
    film = torch.tensor([0, *range(len(truth), len(given))])
    shares, copies = fitted.compare(features[:1], wrong, {0: film})
    assert int(copies) == 31
    assert int(shares.argmax()) == int(truth[0])
    assert fitted.copies(features[:1], wrong).nonzero().tolist() == [[0, 0]]


def test_a_copy_with_another_label_speaks_against_it() -> None:
    features, truth = data()
    features = torch.cat([features, features[:1]])
    given = torch.cat([truth, (truth[:1] + 1) % 3])
    shares, copies = Neighbours.fit(features, given, classes=3).compare(features[:1], truth[:1])
    alone = Neighbours.fit(features[:-1], truth, classes=3).compare(features[:1], truth[:1])[0]
    assert int(copies[0]) == 1
    assert float(shares[0, given[-1]]) > float(alone[0, given[-1]])


def test_an_image_without_neighbours_gets_the_shares_of_all_labels() -> None:
    features = torch.ones(4, 2)
    shares, _ = Neighbours.fit(features, torch.tensor([0, 0, 0, 1]), classes=2).compare(features, torch.zeros(4).long())
    assert bool(torch.isfinite(shares).all())
