"""Copies that pixels don't show are found by features and a second look; pictures that only look alike are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from tests.data.test_duplicates import scene

from deft.data import similar
from deft.data.readers import IntArray, Pixels
from deft.data.similar import LEAST, area_grey, neighbours, with_similar

PHOTOS = 60
Change = Callable[[Pixels], Pixels]


def mirrored(picture: Pixels) -> Pixels:
    return picture[:, ::-1]


def cropped(picture: Pixels) -> Pixels:
    side = len(picture)
    return np.asarray(Image.fromarray(picture[: side * 9 // 10, side // 10 :]).resize((side, side)))


def framed(picture: Pixels) -> Pixels:
    side = len(picture)
    return np.pad(np.asarray(Image.fromarray(picture).resize((side - 8, side - 8))), ((4, 4), (4, 4), (0, 0)))


def grey(picture: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


CHANGES: tuple[Change, ...] = (mirrored, cropped, framed, grey, lambda picture: cropped(mirrored(picture)))


def seen(copies: int) -> np.ndarray:
    """What a model might see in photos, and in copies of the first of them: nearly the same."""
    rng = np.random.default_rng(0)
    some = rng.normal(size=(PHOTOS, 32))
    return np.concatenate([some, some[:copies] + 0.1 * rng.normal(size=(copies, 32))])


def groups_of(pictures: list[Pixels], labels: IntArray | None = None, features: np.ndarray | None = None) -> IntArray:
    squares = np.stack(pictures)
    given = np.zeros(len(squares), np.int64) if labels is None else labels
    alone = np.full(len(squares), -1, np.int64)
    known = seen(len(pictures) - PHOTOS) if features is None else features
    return with_similar(alone, known, np.arange(len(squares)), lambda rows: squares[rows], given)


def photos(count: int = PHOTOS) -> list[Pixels]:
    return [scene(seed) for seed in range(count)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_in_the_group_of_its_picture(change: Change) -> None:
    found = groups_of([*photos(), *map(change, photos(20))])
    assert found.tolist() == [*range(20), *[-1] * 40, *range(20)]


def test_different_pictures_are_no_copies_though_a_model_sees_them_as_one() -> None:
    features = np.random.default_rng(0).normal(size=(PHOTOS, 16))
    features[1::2] = features[::2] + 1e-3
    assert (groups_of(photos(), features=features) == -1).all()


def test_a_copy_that_a_model_sees_as_something_else_is_not_sought() -> None:
    pictures = [*photos(), *map(mirrored, photos(20))]
    features = np.random.default_rng(0).normal(size=(len(pictures), 64))
    assert (groups_of(pictures, features=features) == -1).all()


def test_an_image_is_near_by_what_is_usual_for_the_model() -> None:
    pictures = [*photos(), *map(mirrored, photos(20))]
    usual = seen(20)
    crowded = np.concatenate([usual, np.full((len(usual), 1), 1e6)], axis=1)  # all cosines are then near 1
    assert groups_of(pictures, features=crowded).tolist() == groups_of(pictures).tolist()


def test_many_copies_are_all_near_and_still_one_group() -> None:
    pictures = [*photos(), *[mirrored(scene(0))] * 5, *[cropped(scene(0))] * 5, *[framed(scene(0))] * 5]
    features = np.concatenate([seen(0), seen(0)[:1] + 0.1 * np.random.default_rng(1).normal(size=(15, 32))])
    found = groups_of(pictures, features=features)
    assert np.flatnonzero(found == 0).tolist() == [0, *range(PHOTOS, PHOTOS + 15)]
    assert found.max() == 0


def test_groups_that_pixels_show_are_joined_and_numbered_by_their_first_image() -> None:
    pictures = [*photos(), *map(mirrored, photos(2))]
    shown = np.full(len(pictures), -1, np.int64)
    shown[[0, 50]], shown[[1, 40]] = 0, 1
    squares = np.stack(pictures)
    labels = np.zeros(len(pictures), np.int64)
    found = with_similar(shown, seen(2), np.arange(len(pictures)), lambda rows: squares[rows], labels)
    assert np.flatnonzero(found == 0).tolist() == [0, 50, 60]
    assert np.flatnonzero(found == 1).tolist() == [1, 40, 61]


def test_images_that_cannot_be_used_are_in_no_group() -> None:
    pictures = [*photos(), *map(mirrored, photos(3))]
    squares = np.stack(pictures)
    features = seen(3)
    features[0] = np.nan
    rows = np.arange(1, len(pictures))
    alone, labels = np.full(len(pictures), -1, np.int64), np.zeros(len(pictures), np.int64)
    found = with_similar(alone, features, rows, lambda some: squares[some], labels)
    assert found[[0, 60]].tolist() == [-1, -1]
    assert found[[1, 2, 61, 62]].tolist() == [0, 1, 0, 1]


def test_few_images_say_nothing_of_what_is_near() -> None:
    pictures = photos(LEAST - 2)
    features = seen(0)[: LEAST - 2]
    assert (
        groups_of([*pictures, mirrored(pictures[0])], features=np.concatenate([features, features[:1]])) == -1
    ).all()


def test_classes_that_are_each_other_s_mirror_images_are_kept_apart() -> None:
    pictures = [*photos(), *map(mirrored, photos(20))]
    left_right = np.full(len(pictures), 2)
    left_right[:20], left_right[60:] = 0, 1
    assert (groups_of(pictures, left_right) == -1).all()


def test_wrong_labels_do_not_hide_mirrored_copies() -> None:
    pictures = [*photos(), *map(mirrored, photos(20))]
    rng = np.random.default_rng(3)
    labels = np.concatenate([np.arange(PHOTOS) % 3, np.arange(20) % 3])
    wrong = rng.random(len(labels)) < 0.4
    labels[wrong] = rng.integers(0, 3, wrong.sum())
    assert groups_of(pictures, labels)[60:].tolist() == list(range(20))


def test_the_order_of_images_changes_no_group() -> None:
    pictures, features = [*photos(), *map(cropped, photos(20))], seen(20)
    order = np.random.default_rng(0).permutation(len(pictures))
    straight = groups_of(pictures)
    mixed = groups_of([pictures[row] for row in order], features=features[order])
    together = straight[order][:, None] == straight[order]
    alone = straight[order] < 0
    assert ((mixed[:, None] == mixed) == together)[~alone].all()
    assert (mixed[alone] == -1).all()


def test_neighbours_in_cells_are_those_of_all_for_whatever_lies_near(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    some = rng.normal(size=(300, 12)).astype(np.float32)
    both = np.concatenate([some, some + 0.05 * rng.normal(size=some.shape).astype(np.float32)])
    units = both / np.linalg.norm(both, axis=1, keepdims=True)
    near, cosines = neighbours(units)
    monkeypatch.setattr(similar, "WHOLE", 100)
    sought, found = neighbours(units)
    assert (sought[:, 0] == near[:, 0]).mean() > 0.99
    assert (np.diff(found, axis=1) <= 0).all()
    assert (cosines >= found - 1e-6).all()


@pytest.mark.parametrize("side", [8, 36, 72, 192])
def test_small_pictures_of_mirrored_ones_are_mirrored(side: int) -> None:
    square = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.uint8)
    assert np.allclose(area_grey(square)[:, :, ::-1], area_grey(square[:, :, ::-1]), atol=1e-3)
    mean = square.astype(float).mean(axis=(0, 1, 2)) @ [0.299, 0.587, 0.114]
    assert float(area_grey(square).mean()) == pytest.approx(float(mean), abs=0.1)
