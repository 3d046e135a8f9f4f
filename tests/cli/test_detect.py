"""`deft detect` from a folder of photos to files, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.two_classes import write_photos
from typer.testing import CliRunner, Result

from deft.cli.app import app
from deft.training.loop import fit

FAST = ["--epochs", "2", "--context", "4", "--length", "3", "--device", "cpu"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of eight photos, one of them broken."""
    folder = write_photos(tmp_path / "photos", 8, ("cat", "golden_retriever"))
    (folder / "cat" / "5.png").write_bytes(b"broken")
    return folder


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_from_a_folder_to_files(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in photos.rglob("*"))
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *FAST)
    assert result.exit_code == 0, result.output
    assert "16 images in 2 classes" in result.stdout
    assert "cat/5.png" in result.stdout
    assert "cat/5.png: cat/5.png" not in result.stdout
    table = pd.read_csv(tmp_path / "run" / "labels.csv")
    assert len(table) == 16
    assert table["given_label"].unique().tolist() == ["cat", "golden_retriever"]
    assert table["read_error"].notna().sum() == 1
    assert sorted(path.name for path in photos.rglob("*")) == before
    assert (tmp_path / "run" / "detector" / "detector.json").is_file()


def test_json_is_all_that_stands_on_standard_out(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *FAST, "--format", "json")
    summary = json.loads(result.stdout)
    assert summary["images"] == 16
    assert summary["unreadable"] == 1
    assert summary["settings"]["epochs"] == 2


def test_a_kept_detector_judges_new_photos(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *FAST)
    again = deft("detect", photos, "-o", tmp_path / "again", "--detector", tmp_path / "run" / "detector")
    assert again.exit_code == 0, again.output
    first, second = (pd.read_csv(tmp_path / run / "labels.csv") for run in ("run", "again"))
    pd.testing.assert_frame_equal(first, second)


def test_too_many_issues_exit_with_3(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    words = ["detect", photos, "--model", clip_folder, "--method", "small-loss", "--noise-rate", "0.5", "--epochs", "1"]
    assert deft(*words, "-o", tmp_path / "a", "--fail-on-issues", "0.1").exit_code == 3
    assert deft(*words, "-o", tmp_path / "b", "--fail-on-issues", "0.9").exit_code == 0


def test_ctrl_c_leaves_a_run_that_resumes_to_the_same_verdicts(
    photos: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["detect", photos, "--model", clip_folder, "--context", "4", "--length", "3", "--epochs", "3"]
    deft(*words, "-o", tmp_path / "unbroken")

    def stop_after_one(*args, **settings):  # type: ignore[no-untyped-def]
        fit(*args, **{**settings, "epochs": 1})
        raise KeyboardInterrupt

    # The schedule of the first epoch doesn't depend on how many follow, so one epoch of one is one of three.
    monkeypatch.setattr("deft.detectors.deft.fit", stop_after_one)
    stopped = deft(*words, "-o", tmp_path / "broken")
    assert stopped.exit_code == 130
    assert "Resume with: deft detect" in stopped.stderr
    assert "--resume" in stopped.stderr
    monkeypatch.undo()
    resumed = deft(*words, "-o", tmp_path / "broken", "--resume")
    assert resumed.exit_code == 0, resumed.output
    first, second = (pd.read_csv(tmp_path / run / "labels.csv") for run in ("unbroken", "broken"))
    pd.testing.assert_frame_equal(first, second)


def test_resuming_with_other_options_is_refused(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    words = ["detect", photos, "-o", tmp_path / "run", "--model", clip_folder]
    deft(*words, *FAST)
    (tmp_path / "run" / "labels.parquet").unlink()
    result = deft(*words, *FAST, "--seed", "1", "--resume")
    assert result.exit_code == 2
    assert "other images, labels or settings" in result.stderr


def test_a_model_out_of_reach_is_one_sentence(photos: Path, tmp_path: Path) -> None:
    result = deft("detect", photos, "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert "Use the model 'tiny'" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 4


def test_scores_are_printed_where_the_truth_is_known(clip_folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, size=(20, 20, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "given": "cat" if number % 2 else "dog", "truth": "cat"})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    words = ["--label-col", "given", "--clean-col", "truth", "--method", "label-match"]
    result = deft("detect", tmp_path / "labels.csv", "-o", tmp_path / "run", "--model", clip_folder, *words)
    assert result.exit_code == 0, result.output
    assert "Against the known truth (50.0% wrong)" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tuning", "magic"], "magic"),
        (["--device", "abacus"], "no device 'abacus'"),
        (["--lr", "0"], "must be positive"),
        (["--method", "label-match", "--epochs", "3"], "label-match has no use for it"),
        (["--label-col", "colour"], "no table, so there are no columns"),
        (["--classes", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_usage_errors_exit_with_2(
    photos: Path, clip_folder: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize("words", [["--set", "recipe.verdcit=posterior"], ["--set", "epochs=0"], ["--lr", "0"]])
def test_no_model_is_loaded_before_the_options_are_checked(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("deft.encoders.load.load_encoder", fail)
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", "tiny", *words)
    assert result.exit_code == 2, result.exception
    assert result.stderr


def test_any_setting_can_be_set(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    words = ["--method", "label-match", "--set", "templates=a picture of {}.,a photo of {}.", "--set", "batch_size=3"]
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *words)
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "run" / "summary.json").read_text())["settings"]
    assert (settings["templates"], settings["batch_size"]) == (["a picture of {}.", "a photo of {}."], 3)


def test_limit_draws_some_of_the_photos(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    words = ["--method", "label-match", "--limit", "10"]
    deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *words)
    assert len(pd.read_csv(tmp_path / "run" / "labels.csv")) == 10
