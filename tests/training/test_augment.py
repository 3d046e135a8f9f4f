"""Random views: colour operations against Pillow's, geometry against hand-made images, and the draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from deft.errors import SettingsError
from deft.training import photometric
from deft.training.augment import (
    Augmentation,
    CropFlip,
    RandAugment,
    RandomCrop,
    ResizedCrop,
    centre_crop,
    cutout,
    warp,
)

VIEWS = [CropFlip(), ResizedCrop(), RandAugment(), RandAugment(operations=4, magnitude=30, weak=ResizedCrop())]


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Smooth coloured images, as photos are, (6, 3, 24, 24)."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, size=(6, 3, 5, 5)))
    fine = torch.nn.functional.interpolate(coarse, (24, 24), mode="bicubic").clamp(10, 240)
    return fine.round().to(torch.uint8)


def by_pillow(function: Callable[[Image.Image], Image.Image], photos: Tensor) -> Tensor:
    pictures = [Image.fromarray(photo.permute(1, 2, 0).numpy()) for photo in photos]
    return torch.stack([torch.from_numpy(np.array(function(picture))).permute(2, 0, 1) for picture in pictures])


def strength(photos: Tensor, value: float) -> Tensor:
    return torch.full((len(photos),), value)


@pytest.mark.parametrize(
    ("operation", "value", "pillow", "most"),
    [
        (photometric.auto_contrast, 0.5, ImageOps.autocontrast, 1),
        (photometric.solarize, 0.5, lambda photo: ImageOps.solarize(photo, 128), 0),
        (photometric.posterize, 1.0, lambda photo: ImageOps.posterize(photo, 4), 0),
        (photometric.posterize, 0.5, lambda photo: ImageOps.posterize(photo, 6), 0),
        (photometric.colour, 0.5, lambda photo: ImageEnhance.Color(photo).enhance(1.45), 2),
        (photometric.colour, -1.0, lambda photo: ImageEnhance.Color(photo).enhance(0.1), 2),
        (photometric.brightness, -0.5, lambda photo: ImageEnhance.Brightness(photo).enhance(0.55), 1),
        (photometric.contrast, 0.5, lambda photo: ImageEnhance.Contrast(photo).enhance(1.45), 2),
    ],
)
def test_colours_are_pillows(
    photos: Tensor,
    operation: photometric.Operation,
    value: float,
    pillow: Callable[[Image.Image], Image.Image],
    most: int,
) -> None:
    found = operation(photos, strength(photos, value)).int()
    assert int((found - by_pillow(pillow, photos).int()).abs().max()) <= most
    assert not torch.equal(found, photos.int())


def test_sharpness_is_pillows_inside_the_border(photos: Tensor) -> None:
    found = photometric.sharpness(photos, strength(photos, 1.0)).int()
    wanted = by_pillow(lambda photo: ImageEnhance.Sharpness(photo).enhance(1.9), photos).int()
    assert int((found - wanted)[:, :, 1:-1, 1:-1].abs().max()) <= 2


def test_equalize_makes_the_histogram_flat(photos: Tensor) -> None:
    found = photometric.equalize(photos, strength(photos, 1.0)).float()
    # A flat histogram over 0..255 has the mean 127.5 and the standard deviation 73.9.
    assert found.mean().item() == pytest.approx(127.5, abs=8)
    assert found.std().item() == pytest.approx(73.9, abs=5)
    order = torch.argsort(photos.flatten(2).long(), dim=2)
    assert bool((found.flatten(2).gather(2, order).diff(dim=2) >= 0).all())  # no two values change their order


@pytest.mark.parametrize("operation", photometric.COLOUR_OPERATIONS)
def test_a_black_image_breaks_no_operation(operation: photometric.Operation) -> None:
    black = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert operation(black, torch.tensor([1.0, -1.0])).dtype == torch.uint8


def test_warp_by_the_identity_is_the_identity(photos: Tensor) -> None:
    assert torch.equal(warp(photos, np.tile(np.eye(2, 3, dtype=np.float32), (6, 1, 1))), photos)


def test_warp_by_a_mirror_is_a_mirror(photos: Tensor) -> None:
    mirror = np.tile(np.array([[-1, 0, 0], [0, 1, 0]], np.float32), (6, 1, 1))
    assert torch.equal(warp(photos, mirror), photos.flip(3))


def test_cutout_covers_a_square_of_the_asked_size() -> None:
    white = torch.full((200, 3, 16, 16), 255, dtype=torch.uint8)
    covered = (cutout(white, 0.5, np.random.default_rng(0)) == 128).all(dim=1).sum(dim=(1, 2))
    assert int(covered.max()) == 64  # 8 x 8, and less at the border
    assert int(covered.min()) >= 16


@pytest.mark.parametrize("view", VIEWS, ids=str)
@settings(max_examples=15, deadline=None)
@given(side=st.integers(1, 20), count=st.integers(0, 5), seed=st.integers(0, 2**31))
def test_every_view_keeps_shape_and_type(view: Augmentation, side: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, size=(count, 3, side, side), dtype=np.uint8))
    found = view.apply(pixels, rng)
    assert (found.shape, found.dtype) == (pixels.shape, torch.uint8)


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_seed_alone_decides(view: Augmentation, photos: Tensor) -> None:
    before = torch.random.get_rng_state()
    first, second, third = (view.apply(photos, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_strong_view_changes_the_colours_and_a_weak_one_hardly_does(photos: Tensor) -> None:
    def change(view: Augmentation) -> float:
        many = photos.repeat(20, 1, 1, 1)
        moved = view.apply(many, np.random.default_rng(0)).flatten(1).float().sort(dim=1).values
        return float((moved - many.flatten(1).float().sort(dim=1).values).abs().mean())

    assert change(RandAugment()) > 2 * change(CropFlip())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="magnitude of 0 to 30"):
        RandAugment(magnitude=31)
    with pytest.raises(SettingsError, match="share of the area"):
        ResizedCrop(least=0.0)


def test_random_crops_are_squares_of_the_photo_at_every_place_and_half_are_mirrored() -> None:
    numbers = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(400, 3, 8, 8)
    crops = RandomCrop(0.75).apply(numbers, np.random.default_rng(0))
    assert crops.shape == (400, 3, 6, 6)
    places = {(y, x, way): numbers[0, :, y : y + 6, x : x + 6] for y in range(3) for x in range(3) for way in (1, -1)}
    found = [
        next(key for key, square in places.items() if torch.equal(crop, square if key[2] == 1 else square.flip(2)))
        for crop in crops
    ]
    assert set(found) == set(places)
    assert 160 < sum(way == -1 for _, _, way in found) < 240


def test_the_centre_is_cut_out_of_the_middle() -> None:
    numbers = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert torch.equal(centre_crop(numbers, 0.5), numbers[:, :, 2:6, 2:6])
    assert centre_crop(numbers, 0.01).shape == (1, 3, 1, 1)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01])
def test_a_crop_is_a_share_of_the_photo(share: float) -> None:
    with pytest.raises(SettingsError, match="is a share of the image's"):
        RandomCrop(share)


@pytest.mark.parametrize("view", [*VIEWS, RandomCrop()], ids=str)
@pytest.mark.parametrize("places", [[], [2], [5, 0, 2]], ids=str)
def test_some_images_of_a_batch_get_the_views_that_they_get_in_it(
    photos: Tensor, view: Augmentation, places: list[int]
) -> None:
    some = np.array(places, np.int64)
    whole, part = np.random.default_rng(3), np.random.default_rng(3)
    expected = view.apply(photos, whole)[some]
    assert torch.equal(view.apply_to_some(photos[some], part, count=len(photos), places=some), expected)
    assert whole.random() == part.random()  # as many numbers were drawn
