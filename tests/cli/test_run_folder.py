"""Where a command may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from deft.cli.run_folder import check_model_name, check_outside, check_run
from deft.errors import DataError, ModelError


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
    (run / f"pixels-{'0f' * 12}.u8").touch()
    with pytest.raises(DataError, match="--resume"):
        check_run(run, resume=False)
    check_run(run, resume=True)
    (run / "labels.parquet").touch()
    with pytest.raises(DataError, match="finished"):
        check_run(run, resume=False)
    with pytest.raises(DataError, match="is a file"):
        check_run(run / "labels.parquet", resume=True)


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "pixels-holiday.png", "run.json", ".hidden"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_that_holds_somebody_s_files_is_refused(tmp_path: Path, name: str, resume: bool) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match="holds no run of deft's"):
        check_run(tmp_path, resume=resume)


@pytest.mark.parametrize("name", ["tinny", "Tiny", "tiney", "tiny "])
def test_a_slip_in_the_name_of_the_bundled_model_is_answered_at_once(name: str) -> None:
    with pytest.raises(ModelError, match="Did you mean tiny"):
        check_model_name(name)
    check_model_name("tiny")
    check_model_name("openai/clip-vit-base-patch16")
