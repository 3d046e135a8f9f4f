"""Where a command may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from deft.cli.run_folder import check_outside, check_run
from deft.errors import DataError


def test_nothing_is_written_into_the_data(tmp_path: Path) -> None:
    data = tmp_path / "photos"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    for inside in (data, data / "run", data / "a" / ".." / "b", tmp_path / "link" / "run"):
        with pytest.raises(DataError, match="inside the data"):
            check_outside(inside, str(data))
    check_outside(tmp_path / "run", str(data))
    check_outside(tmp_path / "photos-run", str(data))
    check_outside(tmp_path / "run", "somebody/on-the-hub")


def test_a_run_needs_a_folder_that_is_free(tmp_path: Path) -> None:
    run = tmp_path / "run"
    check_run(run, resume=False)
    run.mkdir()
    check_run(run, resume=False)
    (run / "pixels.u8").touch()
    with pytest.raises(DataError, match="--resume"):
        check_run(run, resume=False)
    check_run(run, resume=True)
    (run / "labels.parquet").touch()
    with pytest.raises(DataError, match="finished"):
        check_run(run, resume=False)
    with pytest.raises(DataError, match="is a file"):
        check_run(run / "labels.parquet", resume=True)
