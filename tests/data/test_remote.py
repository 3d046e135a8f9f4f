"""Data in a store, by fsspec's own store in memory: what a folder of this machine gives, an address gives, too."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from deft.cli.app import app
from deft.data.images import LabeledImages
from deft.data.load import find_images, load_images
from deft.errors import DataError

STORE = "memory://bucket/photos"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of six, a hidden file, and thumbnails."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "cat/thumbs"):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / ".hidden.png").write_bytes(b"x")
    return tmp_path / "photos"


@pytest.fixture
def store(photos: Path) -> Iterator[fsspec.AbstractFileSystem]:
    """The same in a store."""
    files = fsspec.filesystem("memory")
    for path in photos.rglob("*"):
        if path.is_file():
            files.pipe_file(f"/bucket/photos/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield files
    files.rm("/", recursive=True)


def contents(images: LabeledImages) -> list[tuple[str, str, bytes]]:
    return [
        (images.file_name[row], images.classes[images.labels[row]], bytes(np.asarray(images[row].image)))
        for row in range(len(images))
    ]


def test_a_folder_in_a_store_is_that_folder(photos: Path, store: fsspec.AbstractFileSystem) -> None:
    here, there = load_images(photos), load_images(STORE)
    assert len(there) == 12
    assert contents(there) == contents(here)
    assert there.classes == ("cat", "dog")
    assert there.skipped == {"folders of thumbnails": 6, "hidden": 1}
    assert there.origin == {"data": STORE}


def test_a_table_is_read_with_the_images_below_it(store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file("/bucket/photos/labels.csv", b"file_name,label\ncat/1.png,one\ndog/2.png,two\nno.png,two\n")
    found = load_images(f"{STORE}/labels.csv")
    assert found.file_name == ("cat/1.png", "dog/2.png", "no.png")
    assert [found.classes[label] for label in found.labels] == ["one", "two", "two"]
    assert list(found.read_errors) == [2]


def test_a_parquet_file_with_images_in_it(photos: Path, store: fsspec.AbstractFileSystem) -> None:
    names = ["cat/1.png", "dog/2.png"]
    rows = {"image": [(photos / name).read_bytes() for name in names], "label": ["cat", "dog"]}
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    store.pipe_file("/bucket/photos/train.parquet", file.getvalue())
    found = load_images(f"{STORE}/train.parquet")
    assert [found.classes[label] for label in found.labels] == ["cat", "dog"]
    assert np.array_equal(np.asarray(found[1].image), np.asarray(Image.open(photos / "dog" / "2.png")))


def test_a_file_that_is_gone_is_a_row_with_its_reason(store: fsspec.AbstractFileSystem) -> None:
    found = load_images(STORE)
    store.rm_file("/bucket/photos/cat/0.png")
    row = found.file_name.index("cat/0.png")
    with pytest.raises(Exception, match="file not found"):
        found.reader.read(row)
    assert found.reader.read(row + 1)


def test_a_reader_can_go_to_another_process(store: fsspec.AbstractFileSystem) -> None:
    reader = load_images(STORE).reader
    again = pickle.loads(pickle.dumps(reader.part(np.array([3, 1]))))
    assert [again.read(0), again.read(1)] == [reader.read(3), reader.read(1)]
    assert again.describe(0) == f"{STORE}/cat/3.png"


def test_a_file_that_changed_has_another_stamp(store: fsspec.AbstractFileSystem) -> None:
    rows = np.array([0, 1])
    before = load_images(STORE).reader.stamps(rows)
    store.pipe_file("/bucket/photos/cat/0.png", b"something else")
    after = load_images(STORE).reader.stamps(rows)
    assert before is not None
    assert after is not None
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_images_without_labels_are_found_at_any_depth(store: fsspec.AbstractFileSystem) -> None:
    found = find_images("memory://bucket")
    assert len(found) == 12
    assert found.file_name[0] == "photos/cat/0.png"
    assert set(found.labels.tolist()) == {-1}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("memory://bucket/nowhere", "There is nothing at memory://bucket/nowhere"),
        (f"{STORE}/no.csv", "There is no table at"),
        (f"{STORE}/set.zip", "an archive, which is read in place on this machine only"),
        ("file:///tmp/photos", "is on this machine: give its path, /tmp/photos"),
        ("https://example.org/photos", "isn't read in place"),
    ],
)
def test_what_is_not_there_or_not_read_is_one_sentence(
    store: fsspec.AbstractFileSystem, address: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        load_images(address)


def test_a_table_of_labels_is_named_itself(store: fsspec.AbstractFileSystem, photos: Path) -> None:
    with pytest.raises(DataError, match=r"is in a store, .* not labels="):
        load_images(STORE, labels=photos / "labels.csv")


def test_a_store_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(scheme: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(DataError, match=r"Install s3fs to access S3.*pip install 'deft-labels\[remote\]'"):
        load_images("s3://bucket/photos")


def test_a_store_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> None:
        raise RuntimeError("Unable to locate\ncredentials")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(DataError, match=r"can't be reached: Unable to locate credentials\."):
        load_images("memory://bucket/photos")


def test_detect_and_export_work_on_a_store(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "clean"
    typed = ["detect", STORE, "-o", run, "--model", "tiny", "--device", "cpu", "--epochs", "1", "--workers", "0", "-q"]
    result = CliRunner().invoke(app, list(map(str, typed)))
    assert result.exit_code == 0, result.stderr
    assert len(pd.read_csv(run / "labels.csv")) == 12
    result = CliRunner().invoke(app, ["export", str(run), "-o", str(out), "--fix", "keep"])
    assert result.exit_code == 0, result.stderr
    assert len(list(out.rglob("*.png"))) == 12
