"""Mixtures: what goes in comes out in the stated shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deft.methods.parts.mixing import draw_share, fmix, fmix_mask, interpolate, mixup


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.floats(0, 8), st.integers(0, 1000))
def test_a_mixture_stays_closer_to_its_first_part(alpha: float, seed: int) -> None:
    assert 0.5 <= draw_share(alpha, draws(seed)) <= 1


def test_shares_follow_the_beta_distribution() -> None:
    rng = draws()
    # E max(λ, 1 − λ) of Beta(4, 4) is 0.5 + 35/256, and of the uniform distribution 3/4.
    assert np.mean([draw_share(4, rng) for _ in range(4000)]) == pytest.approx(0.5 + 35 / 256, abs=0.006)
    assert np.mean([draw_share(1, rng) for _ in range(4000)]) == pytest.approx(0.75, abs=0.01)


def test_interpolation() -> None:
    mixed = interpolate(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.7)
    torch.testing.assert_close(mixed, torch.tensor([0.7, 0.3]))


@pytest.mark.parametrize("shape", [(3, 8, 8), (5, 6), (7,)])
def test_mixup_mixes_inputs_and_targets_alike(shape: tuple[int, ...]) -> None:
    count = 6
    inputs = torch.zeros(count, *shape)
    inputs.view(count, -1)[range(count), range(count)] = 1  # sample i is known by its place i
    mixed, targets = mixup(inputs, torch.eye(count), alpha=4, rng=draws(1))
    assert mixed.shape == inputs.shape
    torch.testing.assert_close(mixed.view(count, -1)[:, :count], targets)
    assert bool((targets.diagonal() >= 0.5).all())
    shares = {round(float(value), 5) for value in targets.diagonal() if value < 1}
    assert len(shares) == 1  # one λ for the whole batch


def test_without_alpha_nothing_is_mixed() -> None:
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    mixed, targets = mixup(inputs, torch.eye(5), alpha=0, rng=draws())
    assert torch.equal(mixed, inputs)
    assert torch.equal(targets, torch.eye(5))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (32, 32), (63, 40), (224, 224)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mask_covers_its_share_of_an_image_of_any_size(size: tuple[int, int], share: float) -> None:
    mask = fmix_mask(*size, share, draws(2))
    assert mask.shape == size
    assert mask.sum() == round(share * size[0] * size[1])


def test_a_mask_is_made_of_large_blobs() -> None:
    changes = []
    for seed in range(20):
        mask = fmix_mask(64, 64, 0.5, draws(seed))
        changes.append((mask[1:] != mask[:-1]).mean())
    assert np.mean(changes) < 0.1  # neighbours of white noise differ in half of the cases


@pytest.mark.parametrize("size", [(6, 6), (9, 14)])
def test_fmix_takes_every_pixel_from_one_of_two_images(size: tuple[int, int]) -> None:
    count = 5
    inputs = torch.arange(count).float().view(count, 1, 1, 1).expand(count, 3, *size).contiguous()
    mixed, targets = fmix(inputs, torch.eye(count), rng=draws(3))
    for row in range(count):
        pixels = mixed[row, 0].flatten().long()
        shares = torch.bincount(pixels, minlength=count) / len(pixels)
        torch.testing.assert_close(targets[row], shares)
        assert torch.equal(mixed[row, 0], mixed[row, 2])


def test_fmix_of_features_is_a_mixup() -> None:
    mixed, targets = fmix(torch.eye(4), torch.eye(4), rng=draws(4))
    torch.testing.assert_close(mixed, targets)


@given(st.integers(0, 6), st.integers(0, 100))
def test_mixed_targets_sum_to_one(count: int, seed: int) -> None:
    rng = draws(seed)
    targets = torch.from_numpy(rng.dirichlet([0.3, 0.3, 0.3], size=count)).float()
    images = torch.zeros(count, 3, 4, 4)
    for mixed in (mixup(images, targets, alpha=4, rng=rng)[1], fmix(images, targets, rng=rng)[1]):
        torch.testing.assert_close(mixed.sum(dim=1), torch.ones(count))
