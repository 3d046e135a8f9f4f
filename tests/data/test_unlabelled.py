"""Images without labels are found wherever they lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.images import NO_LABEL
from deft.data.load import find_images
from deft.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images at three depths, and what is none."""
    for name in ("a.png", "in/b.JPG", "in/deep/c.png", ".hidden/d.png", "in/.e.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "JPEG" if name.endswith("JPG") else "PNG"
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, kind)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / "empty.png").write_bytes(b"")
    return tmp_path / "photos"


def test_a_folder_is_searched_to_any_depth(folder: Path) -> None:
    images = find_images(folder)
    assert images.file_name == ("a.png", "empty.png", "in/b.JPG", "in/deep/c.png")
    assert len(set(images.sample_id)) == 4
    assert images.classes == ()
    assert set(images.read_errors.values()) == {NO_LABEL}


def test_one_image(folder: Path) -> None:
    assert find_images(folder / "in" / "b.JPG").file_name == ("b.JPG",)


def test_a_link_to_its_own_folder_is_followed_once(folder: Path) -> None:
    (folder / "in" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(find_images(folder)) == 4


def test_a_table_is_read_as_such(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,label\na.png,cat\nin/b.JPG,dog\n")
    assert find_images(folder).classes == ("cat", "dog")


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_an_archive_is_searched_as_a_folder_is(folder: Path, ending: str) -> None:
    archive = Path(shutil.make_archive(str(folder.parent / "photos"), ending, folder))
    images = find_images(archive)
    assert sorted(images.file_name) == ["a.png", "empty.png", "in/b.JPG", "in/deep/c.png"]
    known, lying = (dict(zip(some.file_name, some.sample_id, strict=True)) for some in (images, find_images(folder)))
    assert known == lying
    (folder.parent / f"none.{ending}").write_bytes(archive.read_bytes()[:0])
    with pytest.raises(DataError, match=r"can't be read as an archive|no image in"):
        find_images(folder.parent / f"none.{ending}")


def test_a_pattern_of_images(folder: Path) -> None:
    assert find_images(folder / "**" / "*.png").file_name == ("a.png", "empty.png", "in/deep/c.png")
    assert find_images(f"{folder}/in/*").file_name == ("b.JPG",)


def test_a_table_of_one_class(folder: Path) -> None:
    (folder / "t.csv").write_text("file_name,label\na.png,cat\nin/b.JPG,cat\n")
    assert find_images(folder / "t.csv").classes == ("cat",)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image in"):
        find_images(tmp_path)
    with pytest.raises(DataError, match="no file or folder"):
        find_images(str(tmp_path / "nowhere.csv"))
