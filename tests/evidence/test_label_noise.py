"""How labels go wrong: found again where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.evidence.label_noise import LabelNoise, Pull, expected_labels, hardness, learn_noise, log_likelihoods
from deft.noise import pair_flip, symmetric

CLASSES = 5


def world(count: int = 6000, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    """Class probabilities that are right as often as they say, and true labels."""
    rng = np.random.default_rng(seed)
    sharp = rng.gamma(1.0, 3.0, size=(count, 1))
    logits = sharp * rng.normal(size=(count, CLASSES))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (probs.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return torch.from_numpy(probs).float().clamp(min=1e-9).log(), truth


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_an_even_rate_is_found(rate: float) -> None:
    log_probs, truth = world()
    labels = torch.from_numpy(symmetric(truth, rate, num_classes=CLASSES, seed=1))
    noise = learn_noise(log_probs, labels, Pull())
    assert noise.places is None
    assert float(noise.rates.mean()) == pytest.approx(rate, abs=0.03)


def test_pair_flips_are_found_where_they_are() -> None:
    log_probs, truth = world()
    labels = torch.from_numpy(pair_flip(truth, 0.3, num_classes=CLASSES, seed=1))
    noise = learn_noise(log_probs, labels, Pull(rate=30, places=10))
    assert noise.places is not None
    following = noise.places[torch.arange(CLASSES), (torch.arange(CLASSES) + 1) % CLASSES]
    assert float(following.min()) > 0.8
    assert float(noise.rates.mean()) == pytest.approx(0.3, abs=0.04)


def test_a_partner_is_found_with_fewer_wrong_labels_than_free_places_take() -> None:
    classes, images = 60, 15
    truth = torch.arange(classes).repeat(images)
    seen = torch.where(torch.arange(len(truth)) % 7 == 0, (7 * truth + 3) % classes, truth)  # mistaken without a system
    log_probs = torch.full((len(truth), classes), 0.1 / (classes - 1)).scatter(1, seen[:, None], 0.9).log()
    labels = torch.from_numpy(pair_flip(truth.numpy(), 0.2, num_classes=classes, seed=1))

    def falls(pull: Pull) -> Tensor:
        places = learn_noise(log_probs, labels, pull).places
        assert places is not None
        torch.testing.assert_close(places.sum(dim=1), torch.ones(classes))
        return places[torch.arange(classes), (torch.arange(classes) + 1) % classes]

    assert float(falls(Pull(places=100, partner=True)).mean()) > 2 * float(falls(Pull(places=100)).mean())


def test_chances_of_a_label_are_a_distribution() -> None:
    places = (1 - torch.eye(3)) / 2
    for noise in (LabelNoise.even(3, 0.2), LabelNoise(torch.tensor([0.1, 0.2, 0.3]), places)):
        chances = noise.log_chances(torch.arange(3)).exp()
        assert torch.allclose(chances.sum(dim=0), torch.ones(3))


def test_expected_labels_count_every_image_once() -> None:
    log_probs, truth = world(500)
    labels = torch.from_numpy(truth)
    counts = expected_labels(log_probs.exp(), labels, LabelNoise.even(CLASSES, 0.2))
    assert torch.allclose(counts.sum(dim=0), torch.bincount(labels, minlength=CLASSES).float(), atol=1e-2)


def test_the_right_noise_makes_labels_likelier_than_none() -> None:
    log_probs, truth = world()
    labels = torch.from_numpy(symmetric(truth, 0.3, num_classes=CLASSES, seed=1))
    right, none = (log_likelihoods(log_probs, labels, LabelNoise.even(CLASSES, rate)).mean() for rate in (0.3, 1e-3))
    assert float(right) > float(none)


def test_errors_on_look_alikes_both_ways_count_as_errors_on_hard_images() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(8000) % 4
    partner = truth ^ 1  # 0 and 1 look alike, and 2 and 3
    doubt = rng.uniform(0.02, 0.4, size=8000)
    probs = np.full((8000, 4), 0.002)
    probs[np.arange(8000), truth] = 1 - doubt
    probs[np.arange(8000), partner] += doubt
    log_probs = torch.from_numpy(probs / probs.sum(axis=1, keepdims=True)).float().log()
    wrong = rng.random(8000) < 0.2
    mutual = torch.from_numpy(np.where(wrong, partner, truth))
    one_way = torch.from_numpy(np.where(wrong & (truth % 2 == 0), partner, truth))
    evenly = torch.from_numpy(symmetric(truth, 0.2, num_classes=4, seed=0))
    pull = Pull(rate=30, places=10)
    factor = {
        name: hardness(log_probs, labels, learn_noise(log_probs, labels, pull))
        for name, labels in (("mutual", mutual), ("one way", one_way), ("evenly", evenly))
    }
    assert factor["mutual"] > 2
    assert factor["one way"] < 1.5
    assert factor["evenly"] < 1.3


def test_harder_noise_multiplies_the_odds() -> None:
    noise = LabelNoise.even(3, 0.2).harder(2.0)
    assert float(noise.rates[0]) == pytest.approx(1 / 3, abs=1e-6)


def test_partners_leave_room_for_a_wrong_label_that_names_another_class() -> None:
    """With a few dozen wrong labels, all of which name the partner, the next one may still name another."""
    log_probs, truth = world(count=150)
    labels = torch.from_numpy(pair_flip(truth, 0.3, num_classes=CLASSES, seed=1))
    places = learn_noise(log_probs, labels, Pull(places=100, partner=True)).places
    assert places is not None
    assert torch.allclose(places.sum(dim=1), torch.ones(CLASSES))
    assert float(places.max(dim=1).values.min()) > 0.7
    assert float((places + torch.eye(CLASSES)).min()) > 0.01
