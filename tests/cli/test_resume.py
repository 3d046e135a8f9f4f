"""`--resume` where all is done already: the same command is answered, and another one changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.two_classes import write_photos
from typer.testing import CliRunner, Result

from deft.adaptation.model import AdaptedModel
from deft.cli.app import app
from deft.cli.config import FILE
from deft.runs.source import Source

State = list[tuple[str, int, int]]
Words = list[object]


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _state(folder: Path) -> State:
    found = [(path, os.lstat(path)) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", 6)


@pytest.fixture
def adapted(photos: Path, tmp_path: Path) -> Words:
    """A command that trained a model, but for `--resume`."""
    words: Words = ["adapt", photos, "-o", tmp_path / "out", "--backbone", "tiny", "--tuning", "frozen"]
    words += ["--head", "text", "--epochs", "1", "--device", "cpu", "-q"]
    made = deft(*words)
    assert made.exit_code == 0, made.output
    return words


@pytest.fixture
def detected(photos: Path, tmp_path: Path) -> Words:
    """A command that made a run, but for `--resume`."""
    words: Words = ["detect", photos, "-o", tmp_path / "out", "--model", "tiny", "--method", "label-match"]
    words += ["--device", "cpu", "--workers", "0", "-q"]
    made = deft(*words)
    assert made.exit_code == 0, made.output
    return words


def test_a_model_that_is_whole_is_reported_again(adapted: Words, tmp_path: Path) -> None:
    before = _state(tmp_path / "out")
    (tmp_path / "out" / "training").mkdir()  # as when the command was killed while it took this away
    again = deft(*adapted, "--resume", "--workers", "0")
    assert again.exit_code == 0, again.output
    assert again.stderr == f"{tmp_path / 'out'} holds this model already, whole; nothing was trained.\n"
    assert "learned 2 classes" in again.stdout
    assert _state(tmp_path / "out") == before
    assert not (tmp_path / "out" / "training").exists()


def test_a_model_of_a_run_is_one_of_its_verdicts(detected: Words, tmp_path: Path) -> None:
    words = ["adapt", tmp_path / "out", "-o", tmp_path / "model", "--backbone", "tiny", "--tuning", "frozen"]
    words += ["--head", "text", "--epochs", "1", "--fix", "weigh", "--device", "cpu", "-q"]
    assert deft(*words).exit_code == 0
    assert deft(*words, "--resume").exit_code == 0
    shutil.rmtree(tmp_path / "out")
    assert deft(*detected, "--set", "batch_size=5").exit_code == 0
    assert "has learned from other images or labels" in deft(*words, "--resume").stderr


def test_a_model_is_whole_only_with_the_file_that_repeats_it(
    adapted: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    replaced = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(Path(target).name)
        replaced(source, target)

    monkeypatch.setattr(os, "replace", watched)
    shutil.rmtree(tmp_path / "out")
    assert deft(*adapted).exit_code == 0
    assert seen[-1] == "config.json"
    assert FILE in seen
    (tmp_path / "out" / FILE).write_text("# mine\n")  # which people may edit, as they may the card
    assert AdaptedModel.load(tmp_path / "out", device="cpu").classes == ("cat", "dog")


@pytest.mark.parametrize("command", ["adapted", "detected"])
def test_what_was_finished_with_other_options_stays(
    command: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    words: Words = request.getfixturevalue(command)
    before = _state(tmp_path / "out")
    refused = deft(*words, "--seed", "1", "--resume")
    assert refused.exit_code == 2
    assert "was made with other options (seed; see its run.toml)" in refused.stderr
    assert deft(*words, "--seed", "1").exit_code == 2  # whose run.toml must not be that of the refused command
    assert _state(tmp_path / "out") == before


def _more_images(photos: Path) -> None:
    Image.new("RGB", (24, 24), "red").save(photos / "cat" / "new.png")


def _other_label(photos: Path) -> None:
    (photos / "cat" / "0.png").rename(photos / "dog" / "other.png")


@pytest.mark.parametrize("change", [_more_images, _other_label])
def test_a_model_of_other_images_or_labels_stays(
    adapted: Words, photos: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    before = _state(tmp_path / "out")
    change(photos)
    refused = deft(*adapted, "--resume")
    assert refused.exit_code == 2
    assert "has learned from other images or labels" in refused.stderr
    assert _state(tmp_path / "out") == before


def test_a_model_that_says_nothing_of_its_command_stays(adapted: Words, tmp_path: Path) -> None:
    (tmp_path / "out" / FILE).unlink()
    refused = deft(*adapted, "--resume")
    assert refused.exit_code == 2
    assert "holds a model already" in refused.stderr


def test_a_finished_run_is_made_again(detected: Words, tmp_path: Path) -> None:
    """So that what was lost since, as its report, is there again."""
    kept = (tmp_path / "out" / "labels.csv").read_bytes()
    (tmp_path / "out" / "report.html").unlink()
    assert deft(*detected, "--resume").exit_code == 0
    assert (tmp_path / "out" / "labels.csv").read_bytes() == kept
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_finished_run_of_other_data_stays(detected: Words, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / FILE).unlink()  # as in a run that was made from Python, or a demo
    Source(str(tmp_path)).save(tmp_path / "out")
    before = _state(tmp_path / "out")
    refused = deft(*detected, "--resume")
    assert refused.exit_code == 2
    assert "holds a finished run of other data" in refused.stderr
    assert _state(tmp_path / "out") == before
