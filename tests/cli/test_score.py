"""`deft score`: the verdicts of `deft detect --detector`, in parts."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from deft.cli.app import app


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, clip_folder: Path) -> Path:
    """A run over two classes of eight photos."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("scored")
    for name, colour in (("cat", 60), ("dog", 190)):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(colour - 50, colour + 50, size=(24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{number}.png")
    typed = ("--model", clip_folder, "--epochs", "1", "--device", "cpu", "-q")
    done = deft("detect", folder / "photos", "-o", folder / "run", *typed)
    assert done.exit_code == 0, done.output
    return folder


def test_a_command_and_its_repetition(run: Path, tmp_path: Path) -> None:
    typed = ("score", run / "photos", tmp_path / "out", "--detector", run / "run" / "detector")
    typed = (*typed, "--part-size", "7", "--device", "cpu", "-q")  # type: ignore[assignment]
    done = deft(*typed)
    assert done.exit_code == 0, done.output
    assert "16 images: " in done.stdout
    assert "3 parts." in done.stdout
    table = pd.read_parquet(tmp_path / "out" / "parts")
    whole = pd.read_parquet(run / "run" / "labels.parquet")
    assert table["file_name"].equals(whole["file_name"])
    assert table["is_label_issue"].equals(whole["is_label_issue"])
    np.testing.assert_allclose(table["label_score"], whole["label_score"], atol=1e-6)
    again = deft(*typed)
    assert "3 parts; 3 parts were there already." in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--actors", "2"], "--actors goes with --engine ray."),
        (["--detector", "nowhere"], "nowhere holds no detector.json"),
        (["--method", "label-match"], "--sample N, which learns one, or --method label-match"),
        (["--model", "tiny"], "--model goes with --method"),
        (["--sample", "8", "--method", "label-match"], "--detector FOLDER, --sample N, which learns one, or --method"),
    ],
)
def test_slips_are_sentences(run: Path, tmp_path: Path, words: list[str], said: str) -> None:
    typed = ["score", run / "photos", tmp_path / "out", "--detector", run / "run" / "detector", *words]
    done = deft(*typed)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_label_match_needs_no_detector(run: Path, clip_folder: Path, tmp_path: Path) -> None:
    judged = ("--method", "label-match", "--model", clip_folder, "--device", "cpu", "-q")
    done = deft("score", run / "photos", tmp_path / "scores", *judged, "--part-size", "7")
    assert done.exit_code == 0, done.output
    assert deft("detect", run / "photos", "-o", tmp_path / "run", *judged).exit_code == 0
    table = pd.read_parquet(tmp_path / "scores" / "parts")
    whole = pd.read_parquet(tmp_path / "run" / "labels.parquet")
    same = ["sample_id", "file_name", "given_label", "predicted_label", "is_label_issue"]
    pd.testing.assert_frame_equal(table[same], whole[same])
    np.testing.assert_allclose(table["label_score"], whole["label_score"], atol=1e-6)


def test_without_a_judge_nothing_is_scored(run: Path, tmp_path: Path) -> None:
    done = deft("score", run / "photos", tmp_path / "out")
    assert done.exit_code == 2
    assert "Say what judges" in done.stderr


def test_nothing_is_written_into_the_data(run: Path) -> None:
    done = deft("score", run / "photos", run / "photos" / "out", "--detector", run / "run" / "detector")
    assert done.exit_code == 2
    assert "lies inside the data" in done.stderr


def test_without_ray_its_engine_says_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    typed = ("score", run / "photos", tmp_path / "out", "--detector", run / "run" / "detector", "--engine", "ray")
    done = deft(*typed)
    assert done.exit_code == 2
    assert 'pip install "deft-labels[ray]"' in done.stderr


def test_one_command_learns_from_a_sample_and_scores_all(run: Path, clip_folder: Path, tmp_path: Path) -> None:
    typed = ("score", run / "photos", tmp_path / "out", "--sample", "10", "--model", clip_folder, "--part-size", "5")
    done = deft(*typed, "--device", "cpu", "-q")
    assert done.exit_code == 0, done.output
    assert "16 images: " in done.stdout
    kept = tmp_path / "out" / "detector"
    once = deft(
        "score", run / "photos", tmp_path / "once", "--detector", kept, "--part-size", "5", "--device", "cpu", "-q"
    )
    assert once.exit_code == 0, once.output
    by_sample, by_detector = (pd.read_parquet(tmp_path / name / "parts") for name in ("out", "once"))
    pd.testing.assert_frame_equal(by_sample, by_detector)
    whole = ("detect", run / "photos", "-o", tmp_path / "run", "--model", clip_folder, "--sample", "10")
    assert deft(*whole, "--device", "cpu", "-q").exit_code == 0
    learned = [load_file(place / "detector.safetensors") for place in (kept, tmp_path / "run" / "detector")]
    assert learned[0]["evidence.labels"].tolist() == learned[1]["evidence.labels"].tolist()  # the same ten images


def test_what_a_sample_taught_is_kept_for_the_same_command_alone(run: Path, clip_folder: Path, tmp_path: Path) -> None:
    typed = ("score", run / "photos", tmp_path / "out", "--model", clip_folder, "--device", "cpu", "-q", "--sample")
    assert deft(*typed, "10").exit_code == 0
    weights = tmp_path / "out" / "detector" / "detector.safetensors"
    written = weights.stat().st_mtime_ns
    shutil.rmtree(tmp_path / "out" / "parts")
    again = deft(*typed, "10")
    assert again.exit_code == 0, again.output
    assert weights.stat().st_mtime_ns == written
    for gone in ("detector", "parts"):  # as if it had been killed while it learned
        shutil.rmtree(tmp_path / "out" / gone)
    for gone in ("score.json", "manifest.jsonl", "summary.json"):
        (tmp_path / "out" / gone).unlink()
    assert deft(*typed, "10").exit_code == 0
    assert len(pd.read_parquet(tmp_path / "out" / "parts")) == 16
    other = deft(*typed, "12")
    assert other.exit_code == 2
    assert "is scored by what learned with another learn_from" in " ".join(other.stderr.split())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    refused = deft("score", run / "photos", tmp_path / "full", "--model", clip_folder, "--sample", "10", "-q")
    assert refused.exit_code == 2
    assert "is not empty, and holds no scores of deft's" in " ".join(refused.stderr.split())
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["notes.txt"]
