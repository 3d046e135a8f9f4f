"""`deft report` on what `deft detect` left, as a user types it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from deft.cli.app import app


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def run(clip_folder: Path, tmp_path: Path) -> Path:
    """A run over two classes of eight photos."""
    rng = np.random.default_rng(0)
    for name, colour in (("cat", 60), ("golden_retriever", 190)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(colour - 50, colour + 50, size=(24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    words = ["--model", clip_folder, "--method", "small-loss", "--noise-rate", "0.5", "--epochs", "1"]
    result = deft("detect", tmp_path / "photos", "-o", tmp_path / "run", *words)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "run" / "report.html") in result.stdout
    return tmp_path / "run"


def test_detect_leaves_a_report_and_report_writes_the_same_again(run: Path) -> None:
    first = (run / "report.html").read_text("utf-8")
    assert "golden_retriever" in first
    (run / "report.html").unlink()
    result = deft("report", run)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(run / "report.html")
    assert (run / "report.html").read_text("utf-8") == first


def test_a_limit_and_another_place(run: Path, tmp_path: Path) -> None:
    assert deft("report", run, "--limit", "2", "-o", tmp_path / "small" / "page.html").exit_code == 0
    page = (tmp_path / "small" / "page.html").read_text("utf-8")
    assert page.count("<article") == 2 < (run / "report.html").read_text("utf-8").count("<article")


def test_images_that_were_moved(run: Path, tmp_path: Path) -> None:
    shutil.move(tmp_path / "photos", tmp_path / "moved")
    result = deft("report", run)
    assert result.exit_code == 2
    assert "photos" in result.stderr
    assert deft("report", run, "--data", tmp_path / "moved").exit_code == 0


def test_nothing_is_written_into_the_data(run: Path, tmp_path: Path) -> None:
    result = deft("report", run, "-o", tmp_path / "photos" / "report.html")
    assert result.exit_code == 2
    assert "never writes" in " ".join(result.stderr.split())
    assert not (tmp_path / "photos" / "report.html").exists()


def test_what_is_no_run_is_one_sentence(run: Path, tmp_path: Path) -> None:
    assert "run.json" in deft("report", tmp_path).stderr
    assert "needs the name of a file" in deft("report", run, "-o", tmp_path).stderr
