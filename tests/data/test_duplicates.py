"""Copies and near-copies of a picture are found as one group, and pictures that only look alike are not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from deft.data.digits import digits
from deft.data.duplicates import KINDS, SIDE, exact_copies, find_groups, kinds_of, pixel_names, small_grey
from deft.data.readers import IntArray, Pixels


def scene(seed: int, side: int = 64) -> Pixels:
    """A made photo: shaded ground, and blobs of many sizes and colours."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[0:side, 0:side] / side
    picture = np.stack([rng.uniform(60, 190) + rng.uniform(-60, 60) * down for _ in range(3)], axis=2)
    for _ in range(25):
        middle, width = rng.uniform(0, 1, 2), rng.uniform(0.03, 0.2)
        blob = np.exp(-((down - middle[0]) ** 2 + (right - middle[1]) ** 2) / width**2)
        picture += blob[..., None] * rng.uniform(-110, 110, 3)
    return picture.clip(0, 255).astype(np.uint8)


def shifted(picture: Pixels) -> Pixels:
    return np.roll(picture, (3, -3), axis=(0, 1))


def noisy(picture: Pixels) -> Pixels:
    noise = np.random.default_rng(1).integers(-12, 13, picture.shape)
    return (picture.astype(int) + noise + 9).clip(0, 255).astype(np.uint8)


def brighter(picture: Pixels) -> Pixels:
    return (picture * 1.2 + 8).clip(0, 255).astype(np.uint8)


def saved_again(picture: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=40)
    return np.asarray(Image.open(file).convert("RGB"))


def cropped(picture: Pixels) -> Pixels:
    side = len(picture)
    return np.asarray(
        Image.fromarray(picture[2 : side - 2, 3 : side - 1]).resize((side, side), Image.Resampling.BICUBIC)
    )


CHANGES = (shifted, noisy, brighter, saved_again, cropped)


def groups_of(pictures: list[Pixels], labels: list[int] | None = None) -> list[int]:
    squares = np.stack(pictures)
    given = np.arange(len(pictures)) % 3 if labels is None else np.array(labels)
    return [int(group) for group in find_groups(pixel_names(squares), small_grey(squares), given)]


def test_different_pictures_are_no_duplicates() -> None:
    assert groups_of([scene(seed) for seed in range(150)]) == [-1] * 150


def test_exact_copies_are_one_group_whatever_their_labels() -> None:
    one, other = scene(1), scene(2)
    assert groups_of([scene(0), one, other, one, other, one]) == [-1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: Callable[[Pixels], Pixels]) -> None:
    pictures = [scene(seed) for seed in range(60)]
    found = groups_of([*pictures, *(change(picture) for picture in pictures[:20])])
    assert found == [*range(20), *[-1] * 40, *range(20)]


def test_the_frames_of_a_film_are_one_group_though_its_ends_differ() -> None:
    wide = np.concatenate([scene(50), scene(51), scene(52)], axis=1)
    film = [wide[:, start : start + 64] for start in range(0, 80, 2)]
    found = groups_of([*(scene(seed) for seed in range(40)), *film])
    assert found == [-1] * 40 + [0] * 40


def test_pictures_without_anything_on_them_are_copies_only_if_they_are_the_same() -> None:
    flat = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 0, 128, 129, 255)]
    assert groups_of(flat) == [0, 0, -1, -1, -1]


def test_where_all_pictures_look_alike_more_is_asked_of_a_duplicate() -> None:
    images, truth = digits(noise=0.0)
    squares = np.stack([np.asarray(images.reader.read(row)) for row in range(len(images))])
    found = find_groups(pixel_names(squares), small_grey(squares), truth)
    assert (found >= 0).mean() < 0.01
    assert all(len(set(truth[found == group].tolist())) == 1 for group in range(found.max() + 1))


@pytest.mark.parametrize("side", [8, 20, 32, 50, 224])
def test_small_pictures_are_means_of_areas(side: int) -> None:
    half = np.zeros((1, side, side, 3), np.uint8)
    half[:, :, side // 2 :] = 200
    small = small_grey(half)
    assert small.shape == (1, SIDE, SIDE)
    assert small.dtype == np.uint8
    assert small[0, :, :15].max() == 0
    assert small[0, :, 17:].min() == 200
    assert abs(float(small.mean()) - half.mean()) < 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures(count: int) -> None:
    assert groups_of([scene(seed) for seed in range(count)]) == [-1] * count


def test_the_order_of_pictures_changes_no_group() -> None:
    pictures = [scene(seed // 2) if seed % 2 else noisy(scene(seed // 2)) for seed in range(40)]
    order = np.random.default_rng(0).permutation(40)
    labels: IntArray = np.arange(40) // 2 % 4
    straight = groups_of(pictures, labels.tolist())
    mixed = groups_of([pictures[row] for row in order], labels[order].tolist())
    assert [straight[row] // 1 == straight[order[0]] for row in order] == [one == mixed[0] for one in mixed]


def test_how_each_image_is_linked_to_its_group() -> None:
    names = [b"a", b"b", b"a", b"c", b"d", b"e", b"f"]
    copies = exact_copies(names)
    assert copies.tolist() == [True, False, True, False, False, False, False]
    by_pixels = np.array([0, 0, 0, -1, -1, 1, 1])
    groups = np.array([0, 0, 0, 0, -1, 1, 1])
    kinds = kinds_of(groups, by_pixels, copies)
    assert [KINDS[kind] if kind >= 0 else None for kind in kinds.tolist()] == [
        *("exact", "pixels", "exact", "features", None, "pixels", "pixels")
    ]
