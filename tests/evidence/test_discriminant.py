"""The discriminant: leaving an image out in closed form is leaving it out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deft.evidence.discriminant import Discriminant

CLASSES, WIDTH = 3, 6


def data(count: int = 90, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    middle = 2 * torch.randn(CLASSES, WIDTH, generator=generator)
    return middle[labels] + torch.randn(count, WIDTH, generator=generator), labels


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_an_image_left_out_in_closed_form_scores_as_one_that_was_never_there(shrinkage: float) -> None:
    features, labels = data()
    whole = Discriminant.fit(features, labels, classes=CLASSES, shrinkage=shrinkage)
    left_out = whole.scores(features, labels, torch.ones(len(labels)))
    row = 7
    rest = torch.arange(len(labels)) != row
    without = Discriminant.fit(features[rest], labels[rest], classes=CLASSES, shrinkage=shrinkage)
    expected = without.scores(features[row : row + 1])
    gap = (left_out[row] - left_out[row].mean()) - (expected[0] - expected[0].mean())
    # Centre, scale and round part still know the image, a ninetieth of all.
    assert float(gap.abs().max()) < 0.35
    plain = whole.scores(features[row : row + 1])[0]
    before = (plain - plain.mean()) - (expected[0] - expected[0].mean())
    assert float(gap.abs().max()) < float(before.abs().max())


def test_copies_are_left_out_together() -> None:
    features, labels = data()
    features = torch.cat([features, features[:1].repeat(4, 1)])
    wrong = (labels[:1] + 1) % CLASSES
    labels = torch.cat([wrong, labels[1:], wrong.repeat(4)])
    fitted = Discriminant.fit(features, labels, classes=CLASSES, shrinkage=0.1)
    alone = fitted.scores(features[:1], labels[:1], torch.tensor([1]))[0]
    together = fitted.scores(features[:1], labels[:1], torch.tensor([5]))[0]
    assert float(together[wrong] - together[(wrong - 1) % CLASSES]) < float(alone[wrong] - alone[(wrong - 1) % CLASSES])


def test_a_class_of_one_image_is_no_error() -> None:
    features, labels = data(31)
    labels = torch.where(torch.arange(31) == 0, 2, labels % 2)
    fitted = Discriminant.fit(features, labels, classes=4, shrinkage=0.1)
    scores = fitted.scores(features, labels, torch.ones(31))
    assert bool(torch.isfinite(scores).all())


@pytest.mark.parametrize("features", [torch.zeros(8, 3), torch.ones(8, 3) * 1e4])
def test_features_that_are_all_the_same_say_nothing(features: Tensor) -> None:
    labels = torch.arange(8) % 2
    scores = Discriminant.fit(features, labels, classes=2, shrinkage=0.3).scores(features, labels, torch.ones(8))
    assert torch.allclose(scores[:, 0], scores[:, 1], atol=0.1)


def test_an_image_unlike_all_others_is_unusual() -> None:
    features, labels = data()
    fitted = Discriminant.fit(features, labels, classes=CLASSES, shrinkage=0.1)
    assert float(fitted.unusualness(features + 50).min()) > float(fitted.unusualness(features).max())


def test_one_image_of_each_class_says_nothing_of_itself() -> None:
    """Nothing varies within classes and nothing is left of a class but the common mean: it used to be not a number."""
    features = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    fitted = Discriminant.fit(features, torch.arange(3), classes=4, shrinkage=0.1)
    assert bool(torch.isfinite(fitted.scores(features, torch.arange(3), torch.ones(3))).all())


@pytest.mark.parametrize("shrinkage", [0.02, 0.6])
def test_many_classes_of_one_image_each_are_no_error(shrinkage: float) -> None:
    """What is left of the scatter is rounding, which isn't positive definite."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2000, 1, generator=generator) + 0.01 * torch.randn(2000, 48, generator=generator)
    labels = torch.randperm(2000, generator=generator)
    fitted = Discriminant.fit(features, labels, classes=2000, shrinkage=shrinkage)
    assert bool(torch.isfinite(fitted.scores(features, labels, torch.ones(2000))).all())
