"""Images by a list of their paths, with a list of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.load import load_images
from deft.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    for number in range(6):
        Image.new("RGB", (12, 10), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    return [tmp_path / f"{number}.png" for number in range(6)]


def test_paths_and_labels_are_images(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["dog", "cat"] * 3
    images = load_images(photos, labels=labels)
    assert [images.classes[label] for label in images.labels] == labels
    assert images[2].image.size == (12, 10)
    assert np.asarray(images[2].image)[0, 0, 0] == 80
    monkeypatch.chdir(photos[0].parent)
    beside = load_images([path.name for path in photos], labels=np.array([1, 0] * 3), classes=["cat", "dog"])
    assert [beside.classes[label] for label in beside.labels] == labels
    assert list(beside.content_id) == list(images.content_id)


def test_one_that_is_gone_is_a_row_with_its_reason(photos: list[Path]) -> None:
    photos[3].unlink()
    images = load_images(photos, labels=["dog", "cat"] * 3)
    assert len(images) == 6
    assert list(images.read_errors) == [3]


def test_too_few_labels_are_said(photos: list[Path]) -> None:
    with pytest.raises(DataError, match="There are 5 labels for 6 images"):
        load_images(photos, labels=["dog"] * 5)


def test_a_list_of_tables_brings_its_own(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A list of tables brings its own labels"):
        load_images([tmp_path / "a.csv"], labels=["dog"])
