"""`deft detect --sample N`: one command learns from a part and scores the rest into one run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.two_classes import write_photos
from typer.testing import CliRunner, Result

from deft.cli.app import app
from deft.runs.decisions import Decision, Decisions, now

FAST = ("--epochs", "2", "--context", "4", "--device", "cpu", "-q")


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, clip_folder: Path) -> Path:
    """A run over two classes of fifteen photos, one broken, that learned from twelve."""
    folder = tmp_path_factory.mktemp("sampled")
    photos = write_photos(folder / "photos", 15, ("cat", "dog"))
    (photos / "cat" / "5.png").write_bytes(b"broken")
    done = deft("detect", photos, "-o", folder / "run", "--model", clip_folder, *FAST, "--sample", "12")
    assert done.exit_code == 0, done.output
    (folder / "said.txt").write_text(done.stdout)
    return folder


def test_one_run_with_all_images_says_what_was_learned_from(runs: Path) -> None:
    said = " ".join((runs / "said.txt").read_text().split())
    assert "30 images in 2 classes" in said
    assert "Learned from 12 images, drawn class by class; the other 17 were scored with what was learned." in said
    table = pd.read_parquet(runs / "run" / "labels.parquet")
    assert len(table) == 30
    assert table["read_error"].notna().sum() == 1
    assert json.loads((runs / "run" / "summary.json").read_text())["sample"] == {"learned": 12, "scored": 17}
    assert "12 images, drawn class by class" in (runs / "run" / "report.html").read_text()


def test_each_row_is_what_its_kept_detector_says(runs: Path, tmp_path: Path) -> None:
    kept = ("--detector", runs / "run" / "detector")
    assert deft("detect", runs / "photos", "-o", tmp_path / "again", *kept, "--device", "cpu", "-q").exit_code == 0
    assert deft("score", runs / "photos", tmp_path / "scores", *kept, "--device", "cpu", "-q").exit_code == 0
    whole = pd.read_parquet(runs / "run" / "labels.parquet")
    pd.testing.assert_frame_equal(whole, pd.read_parquet(tmp_path / "again" / "labels.parquet"))
    scores = pd.read_parquet(tmp_path / "scores" / "parts")
    np.testing.assert_allclose(whole["label_score"], scores["label_score"], atol=1e-6)


def test_the_run_goes_on_as_any_other(runs: Path, tmp_path: Path) -> None:
    assert deft("report", runs / "run").exit_code == 0
    assert deft("export", runs / "run", "--to", tmp_path / "clean", "-q").exit_code == 0
    table = pd.read_parquet(runs / "run" / "labels.parquet")
    with Decisions(runs / "run") as log:
        label = table["given_label"][0]
        log.record(Decision(table["sample_id"][0], "kept", label, label, "Ada", now()), 0)
    assert deft("detect", runs / "run", "--with-reviews", "-o", tmp_path / "again", "-q").exit_code == 0
    first, second = (json.loads((run / "summary.json").read_text()) for run in (runs / "run", tmp_path / "again"))
    assert second["sample"] == first["sample"] == {"learned": 12, "scored": 17}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "label-match", "--sample", "5"], "--sample belongs to --method deft; label-match has no use"),
        (["--sample", "1"], "--sample"),
        (["--detector", "DETECTOR", "--sample", "5"], "--sample can't be given with --detector: nothing is learned."),
        (["--detector", "DETECTOR", "--paper"], "--paper can't be given with --detector: nothing is learned."),
        (["--detector", "DETECTOR", "--set", "epochs=3"], "--set can't be given with --detector"),
        (["--detector", "DETECTOR", "--method", "lemon"], "--method can't be given with --detector"),
    ],
)
def test_slips_are_sentences(runs: Path, tmp_path: Path, words: list[str], said: str) -> None:
    given = [str(runs / "run" / "detector") if word == "DETECTOR" else word for word in words]
    done = deft("detect", runs / "photos", "-o", tmp_path / "out", *given, "-q")
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
