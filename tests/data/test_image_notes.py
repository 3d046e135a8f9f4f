"""Notes on odd pictures: each kind is found, and ordinary pictures have none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from deft.data.image_notes import count_notes, image_note
from deft.data.readers import Pixels


def scene(side: int = 224) -> Pixels:
    """Blocks of random sizes and colours with grain: edges at every scale, as in a photo."""
    random = np.random.default_rng(0)
    image = np.zeros((side, side, 3), np.float64)
    for _ in range(300):
        (y, x), (h, w) = random.integers(0, side, 2), random.integers(4, side // 2, 2)
        image[y : y + h, x : x + w] = random.integers(0, 256, 3)
    return np.clip(image + random.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def blurred(pixels: Pixels, radius: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def test_an_ordinary_picture_has_no_note() -> None:
    assert image_note(scene(), (640, 480)) is None
    assert image_note(blurred(scene(), 0.7), (640, 480)) is None


@pytest.mark.parametrize(
    ("pixels", "note"),
    [
        (np.full((32, 32, 3), 128, np.uint8), "blank"),
        (np.zeros((32, 32, 3), np.uint8), "blank; nearly black"),
        (np.full((32, 32, 3), 250, np.uint8), "blank; nearly white"),
        ((scene(224) // 20).astype(np.uint8), "nearly black"),
        ((255 - scene(224) // 20).astype(np.uint8), "nearly white"),
        (blurred(scene(), 6), "blurred"),
    ],
)
def test_odd_pictures(pixels: Pixels, note: str) -> None:
    assert image_note(pixels, (300, 300)) == note


def test_small_or_enlarged_pictures_are_not_called_blurred() -> None:
    assert image_note(blurred(scene(), 6), (300, 100)) is None
    assert image_note(blurred(scene(96), 6), (300, 300)) is None


def test_sizes_and_numbers_are_told() -> None:
    assert image_note(scene(), (9, 700)) == "tiny (9 x 700)"
    assert image_note(scene(), (300, 300), 7) == "not finite (7 pixels, taken as black)"
    assert image_note(scene(), (300, 300), cut_off=True) == "values above 255 cut off"


def test_kinds_are_counted() -> None:
    notes = ["blank; tiny (9 x 7)", "tiny (1 x 1)", "not finite (3 pixels, taken as black)"]
    assert count_notes(notes) == {"tiny": 2, "blank": 1, "not finite": 1}
    assert count_notes([]) == {}
