"""References with doubted labels: errors of one kind no longer mislead, and no label vouches for itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.evidence.cleaned import FOLDS, Cleaned, Doubted, clean
from deft.evidence.discriminant import Discriminant
from deft.evidence.label_noise import LabelNoise
from deft.evidence.neighbours import Near, Neighbours
from deft.noise import pair_flip

CLASSES, COUNT, SHRINKAGE = 4, 1200, 0.1


def world(seed: int = 0, apart: float = 0.9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(COUNT) % CLASSES
    middle = apart * torch.randn(CLASSES, 12, generator=generator)
    return middle[truth] + torch.randn(COUNT, 12, generator=generator), truth


def flipped(truth: Tensor, rate: float) -> tuple[Tensor, LabelNoise]:
    """Labels that go over to the next class, and the noise that says so."""
    labels = torch.from_numpy(pair_flip(truth.numpy(), rate, num_classes=CLASSES, seed=0))
    return labels, LabelNoise(torch.full((CLASSES,), rate), torch.eye(CLASSES).roll(1, dims=1))


def cleaned(features: Tensor, labels: Tensor, noise: LabelNoise) -> tuple[Cleaned, Neighbours, Near]:
    near = Neighbours.fit(features, labels, classes=CLASSES)
    found = near.near(features, labels)
    doubted = Doubted(torch.arange(len(labels)), noise.log_chances(labels), (0.5, 0.5))
    drawn = torch.arange(len(labels)) // CLASSES % FOLDS
    return clean(features.half(), drawn, found, near, SHRINKAGE, doubted), near, found


def right(scores: Tensor, truth: Tensor) -> float:
    return float((scores.argmax(dim=1) == truth).float().mean())


def test_errors_in_favour_of_one_class_mislead_less() -> None:
    features, truth = world()
    labels, noise = flipped(truth, 0.4)
    parts, near, found = cleaned(features, labels, noise)
    plain = Discriminant.fit(features, labels, classes=CLASSES, shrinkage=SHRINKAGE)
    scores, votes = parts.experts(features, found, near)
    assert right(scores, truth) > right(plain.scores(features, labels, found.copies), truth) + 0.03
    assert right(votes, truth) > right(near.shares(found), truth) + 0.05


def test_where_images_say_nothing_no_label_vouches_for_itself() -> None:
    features, truth = world(apart=0.0)
    labels, noise = flipped(truth, 0.2)
    parts, near, found = cleaned(features, labels, noise)
    for scores in parts.experts(features, found, near):
        assert right(scores, labels) == pytest.approx(1 / CLASSES, abs=0.05)


def test_an_image_is_judged_without_its_own_fold() -> None:
    features, truth = world()
    labels, noise = flipped(truth, 0.2)
    parts, near, found = cleaned(features, labels, noise)
    other = labels.clone()
    other[parts.fold == 0] = (labels[parts.fold == 0] + 1) % CLASSES
    changed, near_changed, found_changed = cleaned(features, other, noise)
    fold = parts.fold == 0
    for before, after in zip(
        parts.experts(features[fold], found[fold], near),
        changed.experts(features[fold], found_changed[fold], near_changed),
        strict=True,
    ):
        assert torch.allclose(before, after, atol=1e-4)


def test_copies_are_in_one_fold() -> None:
    features, truth = world()
    features, truth = torch.cat([features, features[:50]]), torch.cat([truth, truth[:50]])
    parts, _, _ = cleaned(features, truth, LabelNoise.even(CLASSES, 0.1))
    assert torch.equal(parts.fold[COUNT:], parts.fold[:50])


def test_labels_that_are_not_doubted_stand() -> None:
    features, truth = world()
    labels, noise = flipped(truth, 0.4)
    near = Neighbours.fit(features, labels, classes=CLASSES)
    sure = torch.arange(100)
    rest = torch.arange(100, COUNT)
    doubted = Doubted(rest, noise.log_chances(labels[rest]), (0.5, 0.5))
    parts = clean(features.half(), torch.zeros(COUNT).long(), near.near(features, labels), near, SHRINKAGE, doubted)
    for left_out in range(1, FOLDS + 1):
        assert torch.equal(parts.likely[left_out, sure, 0], labels[sure])
        assert torch.equal(parts.shares[left_out, sure].sum(dim=1), torch.ones(100).half())
        assert float(parts.shares[left_out, rest].max(dim=1).values.min()) < 0.99


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_handful_of_images_is_no_error(count: int) -> None:
    features, truth = world()
    parts, near, found = cleaned(features[:count], truth[:count], LabelNoise.even(CLASSES, 0.1))
    for scores in parts.experts(features[:count], found, near):
        assert bool(torch.isfinite(scores).all())


def test_what_was_saved_says_the_same() -> None:
    features, truth = world()
    labels, noise = flipped(truth, 0.2)
    parts, near, found = cleaned(features, labels, noise)
    again = Cleaned.from_tensors(parts.tensors(), parts.references, SHRINKAGE, CLASSES)
    assert again is not None
    for before, after in zip(parts.experts(features, found, near), again.experts(features, found, near), strict=True):
        assert torch.equal(before, after)
    with pytest.raises(ValueError, match="references"):
        Cleaned.from_tensors(parts.tensors(), parts.references[1:], SHRINKAGE, CLASSES)
    assert Cleaned.from_tensors({}, parts.references, SHRINKAGE, CLASSES) is None


def test_shares_of_one_are_labels() -> None:
    features, truth = world()
    plain = Discriminant.fit(features, truth, classes=CLASSES, shrinkage=SHRINKAGE)
    rng = np.random.default_rng(0)
    second = torch.from_numpy(rng.integers(CLASSES, size=COUNT))
    shared = Discriminant.fit(
        features,
        torch.stack([truth, second], dim=1),
        classes=CLASSES,
        shrinkage=SHRINKAGE,
        shares=torch.tensor([1.0, 0.0]).expand(COUNT, 2),
    )
    assert torch.allclose(plain.scores(features), shared.scores(features), atol=1e-4)
    half = Discriminant.fit(
        features,
        torch.stack([truth, truth], dim=1),
        classes=CLASSES,
        shrinkage=SHRINKAGE,
        shares=torch.tensor([0.5, 0.5]).expand(COUNT, 2),
    )
    assert torch.allclose(plain.means, half.means)
