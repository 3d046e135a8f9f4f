"""Thumbnails: whole, upright, small, and a sentence where there is no picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader, FileReader, ImageError
from deft.data.thumbnails import thumbnail
from deft.errors import DataError


def of(*items: np.ndarray | bytes | ImageError) -> LabeledImages:
    names = tuple(f"{number}.png" for number in range(len(items)))
    labels = np.arange(len(items)) % 2
    return LabeledImages(ArrayReader(items), np.arange(len(items)), labels, ("cat", "dog"), names, names)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_large_image_is_shrunk_whole() -> None:
    picture = opened(thumbnail(of(np.zeros((100, 400, 3), np.uint8)), 0, side=80))
    assert picture.format == "WEBP"
    assert picture.size == (80, 20)


def test_a_small_image_keeps_its_size() -> None:
    assert opened(thumbnail(of(np.zeros((8, 6), np.uint8)), 0, side=80)).size == (6, 8)


def test_a_tiny_image_keeps_every_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    assert np.array_equal(np.asarray(opened(thumbnail(of(pixels), 0, side=80)).convert("RGB")), pixels)


def test_a_strip_keeps_one_pixel() -> None:
    assert opened(thumbnail(of(np.zeros((1, 4000), np.uint8)), 0, side=40)).size == (40, 1)


def test_the_row_is_the_data_sets_not_the_readers() -> None:
    images = of(np.zeros((4, 4, 3), np.uint8), np.full((6, 6, 3), 255, np.uint8)).keep([1])
    assert opened(thumbnail(images, 0, side=80)).size == (6, 6)


def test_exif_turns_it_upright_and_is_left_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret"
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    reader = FileReader((str(tmp_path / "a.jpg"),))
    images = LabeledImages(reader, np.arange(1), np.zeros(1, int), ("cat", "dog"), ("a.jpg",), ("a.jpg",))
    data = thumbnail(images, 0, side=80, format="JPEG")
    assert opened(data).size == (20, 40)
    assert b"secret" not in data


def test_black_ink_on_nothing_is_seen() -> None:
    drawing = np.zeros((8, 8, 4), np.uint8)
    drawing[:4, :, 3] = 255
    shown = np.asarray(opened(thumbnail(of(drawing), 0, side=8, format="PNG")))
    assert shown[:4].max() == 0
    assert shown[4:].min() == 255


@pytest.mark.parametrize("item", [b"broken", ImageError("no image in this row")])
def test_an_unreadable_image_is_one_sentence(item: bytes | ImageError) -> None:
    with pytest.raises(DataError, match=r"^1\.png: "):
        thumbnail(of(np.zeros((8, 8), np.uint8), item), 1, side=8)
