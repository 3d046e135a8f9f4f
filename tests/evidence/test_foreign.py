"""Images of none of the classes: found where they are, and nowhere else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from deft.evidence.foreign import Foreign, looks
from deft.evidence.label_noise import LabelNoise

CLASSES, COUNT = 10, 4000


def world(share: float, *, tail: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Unusualness, log-likelihood of the label within the classes, and who is foreign."""
    generator = torch.Generator().manual_seed(0)
    foreign = torch.rand(COUNT, generator=generator) < share
    unusual = torch.randn(COUNT, generator=generator)
    if tail:
        unusual = unusual.exp()  # skewed, as real images are
    unusual = torch.where(foreign, unusual + 3, unusual)
    fits = torch.rand(COUNT, generator=generator) < 0.8
    fits = torch.where(foreign, torch.rand(COUNT, generator=generator) < 0.1, fits)
    return unusual[:, None], torch.where(fits, 0.75, 0.25 / (CLASSES - 1)).log(), foreign


def crowd(share: float, *, random: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Foreign images that don't look unusual: what they leave open are the classes. Their labels are random, or fit."""
    generator = torch.Generator().manual_seed(0)
    foreign = torch.rand(COUNT, generator=generator) < share
    truth = torch.randint(CLASSES, (COUNT,), generator=generator)
    logits = 0.5 * torch.randn(COUNT, CLASSES, generator=generator)
    peak = torch.where(foreign, 0.0 if random else 2.0, 4 + torch.randn(COUNT, generator=generator))
    log_probs = logits.scatter_add(1, truth[:, None], peak[:, None]).log_softmax(dim=1)
    labels = torch.where(foreign & random, torch.randint(CLASSES, (COUNT,), generator=generator), truth)
    seen = looks(torch.randn(COUNT, generator=generator), log_probs)
    return seen, log_probs.gather(1, labels[:, None]).squeeze(1), foreign


def test_foreign_images_are_found_with_their_share() -> None:
    seen, likelihood, foreign = world(0.1)
    found = Foreign.learn(seen, likelihood, CLASSES)
    assert found.share == pytest.approx(0.1, abs=0.03)
    odd = found.probability(seen, likelihood) > 0.5
    assert float(odd[foreign].float().mean()) > 0.7
    assert float(odd[~foreign].float().mean()) < 0.02


def test_a_crowd_of_foreign_images_is_found_by_the_classes_that_it_leaves_open() -> None:
    seen, likelihood, foreign = crowd(0.1)
    found = Foreign.learn(seen, likelihood, CLASSES)
    assert found.share == pytest.approx(0.1, abs=0.02)
    odd = found.probability(seen, likelihood) > 0.5
    assert float(odd[foreign].float().mean()) > 0.9
    assert float(odd[~foreign].float().mean()) < 0.02


def test_hard_images_whose_labels_fit_are_not_foreign() -> None:
    seen, likelihood, _ = crowd(0.1, random=False)
    assert Foreign.learn(seen, likelihood, CLASSES).share == 0


def test_wrong_labels_of_images_that_are_a_little_less_sure_than_all_others_are_not_foreign() -> None:
    """Sharp experts are sure of nearly all images; whatever they doubt by a hundredth looks odd beside those."""
    generator = torch.Generator().manual_seed(0)
    count = 600
    truth = torch.randint(CLASSES, (count,), generator=generator)
    peak = torch.where(torch.arange(count) % 25 == 0, 7.0, 25.0)
    log_probs = (peak[:, None] * torch.eye(CLASSES)[truth]).log_softmax(dim=1)
    wrong = torch.rand(count, generator=generator) < torch.where(peak < 10, 0.8, 0.05)
    labels = torch.where(wrong, (truth + 1) % CLASSES, truth)
    chances = LabelNoise.even(CLASSES, 0.1).log_chances(labels)
    seen = looks(torch.randn(count, generator=generator), log_probs)
    assert Foreign.learn(seen, (log_probs + chances).logsumexp(dim=1), CLASSES).share == 0


@pytest.mark.parametrize("tail", [False, True])
def test_where_nothing_is_foreign_next_to_nothing_is_held_for_it(tail: bool) -> None:
    seen, likelihood, _ = world(0.0, tail=tail)
    found = Foreign.learn(seen, likelihood, CLASSES)
    assert float((found.probability(seen, likelihood) > 0.5).float().mean()) < 0.005


def test_images_that_all_look_the_same_are_not_foreign() -> None:
    found = Foreign.learn(torch.zeros(10, 1), torch.zeros(10), CLASSES)
    assert found.share == 0
    assert found.probability(torch.zeros(2, 1), torch.zeros(2)).tolist() == [0.0, 0.0]


def test_doubt_between_two_or_three_classes_says_nothing() -> None:
    unusual = torch.tensor([1.0, 2.0])
    assert looks(unusual, torch.full((2, 3), 1 / 3).log()).tolist() == [[1.0], [2.0]]


def test_doubt_is_the_log_odds_of_the_entropy_over_its_largest() -> None:
    probs = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]).clamp(min=1e-30)
    seen = looks(torch.zeros(2), probs.log())
    torch.testing.assert_close(
        seen[:, 1], torch.tensor([0.0, math.log(0.9999 / 0.0001)]).double(), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_file_keeps_all_of_it(share: float) -> None:
    seen, likelihood, _ = crowd(share)
    found = Foreign.learn(seen, likelihood, CLASSES)
    again = Foreign.from_tensors(found.tensors(), CLASSES)
    assert again.share == found.share
    torch.testing.assert_close(again.probability(seen, likelihood), found.probability(seen, likelihood), rtol=0, atol=0)


def test_a_damaged_file_is_no_foreign_images() -> None:
    kept = Foreign.none(CLASSES).tensors()
    with pytest.raises(ValueError, match="Gaussian"):
        Foreign.from_tensors({**kept, "foreign_odd": torch.zeros(3)}, CLASSES)
    with pytest.raises(KeyError):
        Foreign.from_tensors({"foreign": kept["foreign"]}, CLASSES)
