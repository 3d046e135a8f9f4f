"""Labelled images one by one, chosen by a function, and as a Hugging Face data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 3), np.uint8)


@pytest.fixture
def images() -> LabeledImages:
    return load_images(PIXELS, labels=["cat", "dog", None, "cat"])


def test_one_image_by_its_number(images: LabeledImages) -> None:
    one = images[1]
    assert (one.label, one.file_name, one.split, one.read_error) == ("dog", "array#1", None, None)
    assert np.array_equal(np.asarray(one.image), PIXELS[1])
    assert repr(one) == "LabeledImage('array#1', 'dog')"
    assert images[-1].file_name == "array#3"
    assert images[np.int64(2)].label is None
    assert [each.label for each in images] == ["cat", "dog", None, "cat"]
    with pytest.raises(IndexError, match="4 images, so there is none with the number 4"):
        _ = images[4]


def test_some_images(images: LabeledImages) -> None:
    assert images[1:3].file_name == ("array#1", "array#2")
    assert images[np.array([True, False, False, True])].given_names() == ["cat", "cat"]
    assert images[[2, 0]].file_name == ("array#2", "array#0")
    assert images.filter(lambda one: one.label == "cat").file_name == ("array#0", "array#3")


def test_a_data_set_of_them(images: LabeledImages, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = images.to_dataset()
    assert made.features["label"].names == ["cat", "dog"]
    assert made["label"] == [0, 1, None, 0]
    assert np.array_equal(np.asarray(made[3]["image"]), PIXELS[3])
    again = load_images(made.cast_column("image", datasets.Image(decode=False)))
    assert again.given_names() == images.given_names()
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    (tmp_path / "table.csv").write_text("image,label\na.png,cat\na.png,dog\n")
    filed = load_images(tmp_path / "table.csv").to_dataset()
    assert filed.cast_column("image", datasets.Image(decode=False))[0]["image"]["bytes"] is None


def test_an_image_that_cannot_be_read_says_so() -> None:
    broken = load_images([b"nothing", PIXELS[0]], labels=["cat", "dog"])
    with pytest.raises(DataError, match="array#0: "):
        _ = broken[0].image
