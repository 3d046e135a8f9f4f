"""Archives are read in place: nothing is written, nothing leads out of them, and what can't be read is a reason."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deft.data import archives
from deft.data.load import load_images
from deft.errors import DataError


def tar(path: Path, members: dict[str, bytes], special: list[tarfile.TarInfo] | None = None) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in special or []:
            archive.addfile(info)
    return path


def pack(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".tar":
        return tar(path, members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def members(animals: Path) -> dict[str, bytes]:
    return {f"photos/{path.relative_to(animals)}": path.read_bytes() for path in sorted(animals.rglob("*.png"))}


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_class_folders_in_an_archive(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    extra = {"photos/README.txt": b"x", "__MACOSX/photos/cat/._0.png": b"x", "photos/.DS_Store": b"x"}
    path = pack(tmp_path / f"set{ending}", {**members, **extra})
    before = sorted(tmp_path.rglob("*"))
    images = load_images(path)
    assert images.classes == ("cat", "dog")
    assert images.file_name == tuple(members)
    assert [images.reader.read(row) for row in range(6)] == list(members.values())
    assert images.skipped == {".txt": 1, "folders that other programs left": 1, "hidden": 1}
    part = pickle.loads(pickle.dumps(images.reader.part(images.rows[[4, 0]])))
    assert part.read(1) == members["photos/cat/0.png"]
    assert part.describe(0) == f"{path}/photos/dog/1.png"
    assert sorted(tmp_path.rglob("*")) == before
    old = images.fingerprint
    pack(path, {**members, "photos/dog/1.png": b"other"})
    assert load_images(path).fingerprint != old


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_splits_and_tables_in_an_archive(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    files = {name.removeprefix("photos/"): data for name, data in members.items()}
    rows = "file_name;label\ncat\\0.png;A\ndog/1;b\n"
    images = load_images(pack(tmp_path / f"set{ending}", {**files, "metadata.csv": rows.encode()}))
    assert images.given_names() == ["A", "b"]
    assert images.reader.read(1) == files["dog/1.png"]
    assert images.skipped == {"images that the table doesn't list": 4}
    parts = {f"train/{name}": data for name, data in files.items()} | {"test/cat/9.png": files["cat/0.png"]}
    images = load_images(pack(tmp_path / f"parts{ending}", parts), split="test")
    assert images.file_name == ("test/cat/9.png",)


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_members_below_a_dot_are_where_they_are(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    images = load_images(pack(tmp_path / f"set{ending}", {f"./{name}": data for name, data in members.items()}))
    assert images.file_name == tuple(members)
    assert images.reader.read(5) == members["photos/dog/2.png"]


def test_paths_that_leave_and_links_are_passed_over(tmp_path: Path, members: dict[str, bytes]) -> None:
    link = tarfile.TarInfo("photos/cat/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    bad = {"../cat/evil.png": b"x", "/cat/evil.png": b"x", "photos/../../cat/evil.png": b"x"}
    for path in (tar(tmp_path / "a.tar", {**members, **bad}, [link]), pack(tmp_path / "a.zip", {**members, **bad})):
        images = load_images(path)
        assert images.file_name == tuple(members)
        assert images.skipped["members whose path leaves the archive"] == 3
    assert load_images(tmp_path / "a.tar").skipped["links and other special members"] == 1


def test_a_bomb_is_a_reason_and_never_unpacked_whole(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGEST_FILE", 10_000)
    path = pack(tmp_path / "bomb.zip", {**members, "photos/cat/9.png": bytes(1_000_000)})
    images = load_images(path)
    assert images.read_errors == {3: "too large: a file of 0.0 GB"}
    with pytest.raises(DataError, match="too large"):
        images.reader.read(3)


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_damaged_archives(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(b"no archive at all" * 100)
    with pytest.raises(DataError, match="can't be read as an archive"):
        load_images(path)
    path.write_bytes(b"")
    with pytest.raises(DataError):
        load_images(path)
    pack(path, members)
    images = load_images(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"damaged archive|truncated"):
        images.reader.read(5)
    path.unlink()
    with pytest.raises(DataError):
        images.reader.read(5)


def test_an_encrypted_archive_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = pack(tmp_path / "a.zip", members)
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x01\x02")
    data[place + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="is encrypted"):
        load_images(path)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.7z", "a.tar.xz"])
def test_compressed_tars_are_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="is compressed as a whole"):
        load_images(tmp_path / name)


def shard(path: Path, labels: list[Any], member: str, picture: bytes) -> Path:
    members: dict[str, bytes] = {}
    for number, label in enumerate(labels):
        members[f"{number:04d}.png"] = picture + bytes([number])
        members[f"{number:04d}.{member}"] = str(label).encode()
    return tar(path, members)


@pytest.mark.parametrize(
    ("member", "labels"),
    [("cls", ["0", "1", "0"]), ("json", [json.dumps({"label": name}) for name in "abc"]), ("label.txt", None)],
)
def test_webdataset_shards(tmp_path: Path, animals: Path, member: str, labels: list[str] | None) -> None:
    if labels is None:
        member, labels = "cls", ["cat", "dog", "cat"]
    picture = (animals / "cat" / "0.png").read_bytes()
    folder = tmp_path / "shards"
    folder.mkdir()
    shard(folder / "train-000000.tar", labels, member, picture)
    shard(folder / "val-000000.tar", labels, member, picture)
    names = [json.loads(label)["label"] if member == "json" else label for label in labels]
    for source in (folder, str(folder / "*.tar")):
        images = load_images(source)
        assert images.given_names() == names * 2
        assert images.split == ("train",) * 3 + ("val",) * 3
        assert images.file_name[4] == "val-000000.tar/0001.png"
        assert images.reader.read(4) == picture + b"\1"
        assert images.reader.part(images.rows[[5, 0]]).read(0) == picture + b"\2"
    assert len(load_images(folder / "val-000000.tar", classes=sorted(set(names)))) == 3


def test_windows_marks_in_a_zip_file(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, "C:/cat/8.png": b"x", "C:\\cat\\9.png": b"x"}.items():
            info = zipfile.ZipInfo("0")
            info.filename = name.replace("/", "\\")
            archive.writestr(info, data)
    images = load_images(path)
    assert images.classes == ("cat", "dog")
    assert images.file_name == tuple(members)
    assert [images.reader.read(row) for row in range(6)] == list(members.values())
    assert images.skipped == {"members whose path leaves the archive": 2}


def test_links_in_a_zip_file_are_passed_over(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = pack(tmp_path / "set.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("photos/cat/link.png")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    images = load_images(path)
    assert len(images) == 6
    assert images.skipped == {"links and other special members": 1}


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_an_archive_of_each_split(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "val"):
        pack(folder / f"{split}{ending}", members)
    images = load_images(folder)
    assert images.classes == ("cat", "dog")
    assert images.split == ("train",) * 6 + ("val",) * 6
    assert images.file_name[0] == f"train{ending}/photos/cat/0.png"


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_a_table_of_labels_for_an_archive(tmp_path: Path, members: dict[str, bytes], ending: str) -> None:
    flat = {f"images/{number}.png": data for number, data in enumerate(members.values())}
    path = pack(tmp_path / f"images{ending}", flat)
    table = tmp_path / "labels.csv"
    table.write_text("file_name,label\n" + "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(5)))
    images = load_images(path, labels=table)
    assert list(images.given_names()) == ["a", "b", "a", "b", "a"]
    assert [images.reader.read(row) for row in range(5)] == list(members.values())[:5]
    assert images.skipped == {"images that the table doesn't list": 1}


def test_a_range_of_shards_in_braces(tmp_path: Path, members: dict[str, bytes]) -> None:
    for number, name in enumerate(members):
        stem = f"{number:04d}"
        pack(
            tmp_path / f"train-{number:06d}.tar", {f"{stem}.png": members[name], f"{stem}.cls": b"01"[number % 2 :][:1]}
        )
    images = load_images(str(tmp_path / "train-{000000..000003}.tar"))
    assert images.file_name == tuple(f"train-{number:06d}.tar/{number:04d}.png" for number in range(4))
    assert len(load_images(str(tmp_path / "train-{000001,000004}.tar"))) == 2
    with pytest.raises(DataError, match=r"train-000006\.tar is not there"):
        load_images(str(tmp_path / "train-{000000..000009}.tar"))
