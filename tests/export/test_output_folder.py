"""Where an export may go, and that it is whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.errors import DataError
from deft.export.output_folder import check_target, new_folder


def test_a_file_is_no_folder(tmp_path: Path, images: LabeledImages) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DataError, match="is a file"):
        check_target(tmp_path / "mine.txt", images)
    (tmp_path / "empty").mkdir()
    check_target(tmp_path / "empty", images)
    check_target(tmp_path / "new" / "deep", images)


def test_folders_among_the_images_are_refused(photos: Path, tmp_path: Path, images: LabeledImages) -> None:
    (tmp_path / "link").symlink_to(photos)
    for inside in (photos / "clean", photos / "cat" / "clean", tmp_path / "link" / "clean", photos / "x" / ".." / "y"):
        with pytest.raises(DataError, match="inside the images' own folder"):
            check_target(inside, images)
    check_target(tmp_path / "photos-clean", images)


def test_beside_a_table_is_no_folder_of_images(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file_name,label\nphotos/cat/0.png,x\nphotos/dog/1.png,y\n")
    images = load_images(tmp_path / "t.csv")
    check_target(tmp_path / "clean", images)
    with pytest.raises(DataError, match="own folder"):
        check_target(photos / "cat" / "clean", images)
    assert np.array_equal(images.labels, [0, 1])


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"

    def fail() -> None:
        with new_folder(target) as folder:
            (folder / "half.txt").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list((tmp_path / "deep").iterdir()) == []
    target.mkdir()
    with new_folder(target) as folder:
        (folder / "all.txt").write_text("all")
    assert [path.name for path in (tmp_path / "deep").rglob("*")] == ["out", "all.txt"]
    assert target.stat().st_mode & 0o700 == 0o700


def test_a_folder_that_fills_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()

    def race() -> None:
        with new_folder(target):
            (target / "theirs.txt").write_text("theirs")

    with pytest.raises(OSError, match="not empty"):
        race()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs.txt"]
