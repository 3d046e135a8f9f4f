"""A file is complete or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from deft.files import fill_folder, replace_file, reserve


def test_a_file_appears_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.json"
    with replace_file(path) as temporary:
        temporary.write_text("{}")
        assert not path.exists()
    assert path.read_text() == "{}"
    assert [entry.name for entry in path.parent.iterdir()] == ["summary.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    def write_half() -> None:
        with replace_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_space_is_taken_at_once(tmp_path: Path) -> None:
    """A file of holes would end the process with SIGBUS when it is filled through memory on a full disk."""
    with (tmp_path / "bank").open("wb") as file:
        reserve(file.fileno(), 1 << 20)
    there = (tmp_path / "bank").stat()
    assert there.st_size == 1 << 20
    if hasattr(os, "posix_fallocate"):
        assert there.st_blocks * 512 >= 1 << 20


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system can't take space beforehand")
def test_a_disk_that_is_too_small_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (tmp_path / "bank").open("wb") as file, pytest.raises(OSError, match="No space left"):
        reserve(file.fileno(), 1 << 20)


def test_a_folder_is_filled_with_its_last_file_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("old")
    moved: list[str] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        moved.append(f"{target.name} {(tmp_path / 'model' / 'config.json').exists()}")
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    with fill_folder(tmp_path / "model", "config.json") as part:
        (part / "a").write_text("new")
        (part / "config.json").write_text("new")
        (part / "weights").write_text("new")
        assert (tmp_path / "model" / "config.json").read_text() == "old"
    assert moved == ["a False", "weights False", "config.json False"]
    assert sorted(one.name for one in (tmp_path / "model").iterdir()) == ["a", "config.json", "weights"]
