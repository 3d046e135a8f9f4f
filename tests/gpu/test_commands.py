"""The command line on a GPU: what it says of devices, of full memory, and of processes that are too many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.two_classes import write_photos

Deft = Callable[..., subprocess.CompletedProcess[str]]
FULL = "import torch; torch.cuda.set_per_process_memory_fraction(5e-4)"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("gpu") / "photos", 160)


def test_detect_adapt_and_predict_take_the_gpu_by_themselves(photos: Path, tmp_path: Path, deft: Deft) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    for words in (
        ("detect", photos, "--model", "tiny", "-o", run),
        ("adapt", run, "--backbone", "tiny", "--epochs", "1", "-o", model),
        ("predict", model, photos, "-o", tmp_path / "said.csv"),
    ):
        result = deft(*words)
        assert result.returncode == 0, result.stderr
    said = (run / "summary.json").read_text()
    assert '"device": "cuda' in said
    assert '"precision": "bfloat16"' in said
    assert len(pd.read_csv(tmp_path / "said.csv")) == 320


def test_doctor_finds_the_gpu_and_trusts_its_arithmetic(deft: Deft) -> None:
    result = deft("doctor")
    assert result.returncode == 0, result.stderr + result.stdout
    assert "cuda:0" in result.stdout
    assert "fine" in result.stdout


def test_a_gpu_that_is_not_there_is_named(photos: Path, tmp_path: Path, deft: Deft) -> None:
    result = deft("detect", photos, "--model", "tiny", "--device", "cuda:99", "-o", tmp_path / "run")
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]  # after the lines that say what is being done
    assert last.startswith("deft: There is no device 'cuda:99' here: ")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("detect", "--model", "tiny", "--batch-size", "320"), id="detect"),
        pytest.param(("adapt", "--backbone", "tiny", "--batch-size", "320"), id="adapt"),
    ],
)
def test_a_full_card_is_one_sentence(photos: Path, tmp_path: Path, deft: Deft, words: tuple[str, ...]) -> None:
    result = deft(words[0], photos, *words[1:], "-q", "-o", tmp_path / "out", first=FULL)
    assert result.returncode == 2, result.stderr
    assert result.stderr.strip() == (
        "deft: The accelerator's memory is too small for this. Try a smaller --batch-size, or --device cpu."
    )


def test_more_processes_than_gpus_are_refused(photos: Path, tmp_path: Path, deft: Deft) -> None:
    count = torch.cuda.device_count()
    words = ("detect", photos, "--model", "tiny", "-q", "-o", tmp_path / "run")
    result = deft(*words, "--processes", count + 1)
    assert result.returncode == 2
    assert f"{count + 1} processes need {count + 1} accelerators" in result.stderr
    result = deft(*words, "--processes", "2", "--device", "cpu")
    assert result.returncode == 0, result.stderr


def test_torchrun_with_one_process(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    typed = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1", "-m", "deft"]
    words = ["detect", str(photos), "--model", "tiny", "-q", "-o", str(run)]
    there = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    result = subprocess.run([*typed, *words], capture_output=True, text=True, env=there, check=False, timeout=200)
    assert result.returncode == 0, result.stderr
    assert '"device": "cuda' in (run / "summary.json").read_text()
