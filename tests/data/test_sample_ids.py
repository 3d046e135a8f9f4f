"""Ids of images: by content, the same after a move and in every order, and different for copies."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deft.data.images import LabeledImages
from deft.data.load import find_images, load_images

Paint = Callable[..., Path]


@pytest.fixture
def animals(tmp_path: Path, paint: Paint) -> Path:
    """Three cats and three dogs, no two alike."""
    for number, name in enumerate(("cat/0", "cat/1", "cat/2", "dog/0", "dog/1", "dog/2")):
        paint(tmp_path / "animals" / f"{name}.png", f"#{number}0{number}0ff")
    return tmp_path / "animals"


def by_name(images: LabeledImages) -> dict[str, str]:
    return dict(zip(images.file_name, images.sample_id, strict=True))


def test_a_move_changes_no_id(animals: Path, tmp_path: Path) -> None:
    before = by_name(load_images(animals))
    assert len(set(before.values())) == 6
    shutil.copytree(animals, tmp_path / "elsewhere" / "again")
    assert by_name(load_images(tmp_path / "elsewhere" / "again")) == before
    (animals / "cat" / "0.png").rename(animals / "dog" / "moved.png")
    after = by_name(load_images(animals))
    assert after["dog/moved.png"] == before["cat/0.png"]
    assert after["cat/1.png"] == before["cat/1.png"]


def test_neither_the_order_of_rows_nor_the_kind_of_store_changes_an_id(animals: Path, tmp_path: Path) -> None:
    before = by_name(load_images(animals))
    names = sorted(before, reverse=True)
    table = pd.DataFrame({"file_name": names, "label": [name[:3] for name in names]})
    table.to_csv(animals / "l.csv", index=False)
    assert by_name(load_images(animals / "l.csv")) == before
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.write(animals / name, name)
    assert by_name(load_images(tmp_path / "a.zip")) == before
    stored = [{"bytes": (animals / name).read_bytes(), "path": name} for name in names]
    pd.DataFrame({"image": stored, "label": table["label"]}).to_parquet(tmp_path / "t.parquet")
    assert by_name(load_images(tmp_path / "t.parquet")) == before
    assert set(find_images(animals).sample_id) == set(before.values())


def test_copies_have_ids_of_their_own_whatever_the_order_of_rows(animals: Path) -> None:
    shutil.copyfile(animals / "cat" / "0.png", animals / "dog" / "copy.png")
    images = load_images(animals)
    found = by_name(images)
    assert found["dog/copy.png"] == f"{found['cat/0.png']}-2"
    back = images.keep(np.arange(len(images))[::-1])
    assert by_name(back) == found
    names = sorted(found, reverse=True)
    pd.DataFrame({"file_name": names, "label": [name[:3] for name in names]}).to_csv(animals / "l.csv", index=False)
    assert by_name(load_images(animals / "l.csv")) == found


def test_a_copy_keeps_its_id_when_others_are_left_out_or_labels_change(animals: Path) -> None:
    shutil.copyfile(animals / "cat" / "0.png", animals / "dog" / "copy.png")
    images = replace(load_images(animals), content=load_images(animals).content_id)
    whole = by_name(images)
    only = images.keep([name == "dog/copy.png" for name in images.file_name])
    assert only.sample_id == (whole["dog/copy.png"],)
    assert by_name(images.relabel(1 - images.labels)) == whole


def test_an_image_that_can_not_be_read_goes_by_its_name(animals: Path) -> None:
    rows = "cat/7.png,cat\ncat/8.png,cat\ncat/7.png,dog\ndog/0.png,dog\n"
    (animals / "l.csv").write_text(f"file_name,label\n{rows}")
    images = load_images(animals / "l.csv")
    assert len(set(images.sample_id)) == 4
    assert images.sample_id[:3] == load_images(animals / "l.csv").sample_id[:3]
    assert all(name.startswith("unread-") for name in images.sample_id[:3])
