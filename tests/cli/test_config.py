"""`--config run.toml`: the file that repeats a run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.cli import main
from deft.cli.config import read
from deft.errors import SettingsError
from deft.runs.detection import Detection


def deft(monkeypatch: pytest.MonkeyPatch, *args: object) -> object:
    monkeypatch.setattr(sys, "argv", ["deft", *map(str, args)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (24, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def test_a_run_is_repeated_by_the_file_that_it_left(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = [
        "photos",
        "-o",
        "a",
        "--model",
        "tiny",
        "--method",
        "label-match",
        "--set",
        "batch_size=5",
        "--workers",
        "0",
    ]
    assert deft(monkeypatch, "detect", *typed, "--quiet") in (0, None)
    assert read(tmp_path / "a" / "run.toml") == {
        "data": str(photos),
        "model": "tiny",
        "method": "label-match",
        "workers": 0,
        "set": ["batch_size=5"],
    }
    assert deft(monkeypatch, "detect", "--config", "a/run.toml", "-o", "b", "--quiet") in (0, None)
    assert read(tmp_path / "b" / "run.toml") == read(tmp_path / "a" / "run.toml")
    first, second = Detection.load("a"), Detection.load("b")
    assert np.array_equal(first.p_clean, second.p_clean)
    assert second.settings["batch_size"] == 5
    assert deft(monkeypatch, "detect", "photos/cat/..", "-o", "c", "--config=a/run.toml", "--set", "batch_size=7") == 2
    assert "batch_size is there twice" in capsys.readouterr().err
    (tmp_path / "own.toml").write_text('# mine\nmodel = "tiny"\nmethod = "label-match"\nworkers = 0\n')
    assert deft(monkeypatch, "detect", "photos", "--config", "own.toml", "-o", "c", "--limit", "8") in (0, None)
    assert len(Detection.load("c")) == 8


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour = 1", "has 'colour', which deft detect doesn't know. It knows: data, out,"),
        ("epochs", "Line 1 of"),
        ("epochs = five", "isn't as in: epochs = 5"),
        ("[table]\nepochs = 5", "Line 1 of"),
    ],
)
def test_what_is_no_such_file_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text(text)
    assert deft(monkeypatch, "detect", "photos", "-o", tmp_path / "a", "--config", tmp_path / "run.toml") == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"run\.toml can't be read"):
        read(tmp_path / "run.toml")
