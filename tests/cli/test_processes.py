"""`--processes` and `torchrun` give what one process gives, and end together."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.several import command, together
from tests.two_classes import write_photos

from deft.cli import launch

FAST = ("--epochs", "2", "--context", "4", "--device", "cpu")
POSIX = pytest.mark.skipif(os.name == "nt", reason="gloo's processes are tested on POSIX")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of seven photos, one of them broken."""
    folder = write_photos(tmp_path_factory.mktemp("processes") / "photos", 7)
    (folder / "cat" / "5.png").write_bytes(b"broken")
    return folder


def ended(count: int, folder: Path, *words: object) -> list[int | None]:
    """Run a command in processes that were started together; their exit codes."""
    folder.mkdir(exist_ok=True)
    return together(count, command, folder, tuple(map(str, words)))


def deft(*words: object) -> subprocess.CompletedProcess[str]:
    there = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    typed = [sys.executable, "-m", "deft", *map(str, words)]
    return subprocess.run(typed, capture_output=True, text=True, env=there, check=False, timeout=600)


def assert_same_run(one: Path, other: Path, tolerance: float) -> None:
    first, second = (pd.read_parquet(run / "labels.parquet") for run in (one, other))
    np.testing.assert_allclose(first["label_score"], second["label_score"], atol=tolerance, equal_nan=True)
    sure = ~((first["label_score"] - 0.5).abs() < tolerance)
    assert (first["is_label_issue"] == second["is_label_issue"])[sure].all()
    assert first["read_error"].equals(second["read_error"])
    if not tolerance:
        assert first.equals(second)
    assert {path.relative_to(one) for path in one.rglob("*")} == {path.relative_to(other) for path in other.rglob("*")}


PAPER = ("--paper", "--batch-size", "5", *FAST)


@POSIX
@pytest.mark.parametrize(
    ("count", "words", "tolerance"),
    [
        pytest.param(2, FAST, 0.0, id="frozen"),
        pytest.param(3, (*PAPER, "--precision", "float32"), 1e-5, id="vpt-float32"),
        pytest.param(3, (*PAPER, "--precision", "bfloat16"), 0.05, id="vpt-bfloat16", marks=pytest.mark.slow),
        pytest.param(
            2,
            ("--method", "small-loss", "--epochs", "2", "--device", "cpu", "--precision", "float32"),
            1e-5,
            id="small-loss",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_detect_in_several_processes(
    photos: Path, clip_folder: Path, tmp_path: Path, count: int, words: tuple[str, ...], tolerance: float
) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    for folder, number in ((one, 1), (many, count)):
        said = tmp_path / f"said-{number}"
        assert ended(number, said, "detect", photos, "-o", folder, "--model", clip_folder, *words) == [0] * number
    assert_same_run(one, many, tolerance)
    printed = [(said / f"out-{rank}").read_text() for rank in range(count)]
    assert "14 images in 2 classes" in printed[0]
    assert printed[1:] == [""] * (count - 1)


@POSIX
def test_fewer_images_than_processes(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    for name in ("cat", "dog"):
        (two / name).mkdir(parents=True)
        shutil.copy(photos / name / "1.png", two / name)
    for count in (1, 3):
        words = ("--model", clip_folder, *PAPER, "--precision", "float32")
        assert ended(count, tmp_path / "said", "detect", two, "-o", tmp_path / str(count), *words) == [0] * count
    assert_same_run(tmp_path / "1", tmp_path / "3", 1e-5)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_adapt_in_several_processes(
    photos: Path, backbone_folder: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    from safetensors.torch import load_file

    for count in (1, 2):
        words = ("--backbone", backbone_folder(family), "--epochs", "2", "--device", "cpu", "--batch-size", "5")
        codes = ended(count, tmp_path / "said", "adapt", photos, "-o", tmp_path / str(count), *words)
        assert codes == [0] * count, (tmp_path / "said" / "err-0").read_text()
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("1", "2"))
    for name, weight in first.items():
        np.testing.assert_allclose(second[name], weight, atol=1e-4, err_msg=name)
    assert {path.name for path in (tmp_path / "1").iterdir()} == {path.name for path in (tmp_path / "2").iterdir()}


@POSIX
def test_an_error_is_said_by_one_process_and_nothing_is_left(photos: Path, tmp_path: Path) -> None:
    codes = ended(2, tmp_path / "said", "detect", photos, "-o", tmp_path / "run", "--model", tmp_path, *FAST)
    assert codes == [2, 2]
    assert "config.json" in (tmp_path / "said" / "err-0").read_text()
    assert not (tmp_path / "run").exists()


@POSIX
@pytest.mark.slow
def test_a_killed_process_ends_the_run_which_goes_on_with_another_number(
    photos: Path, clip_folder: Path, tmp_path: Path
) -> None:
    model = ("--model", clip_folder, "--paper", "--context", "4", "--device", "cpu", "--precision", "float32", "-q")
    typed = (*model, "--epochs", "40", "--batch-size", "5")
    run = tmp_path / "many"
    words = [sys.executable, "-m", "deft", "detect", photos, "-o", run, *typed, "--processes", "2"]
    with subprocess.Popen([*map(str, words)], stderr=subprocess.PIPE, text=True) as started:
        until = time.monotonic() + 300
        while not (run / "checkpoint.safetensors").exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(_rank_one(started.pid), signal.SIGKILL)
        said = started.communicate(timeout=300)[1]
    assert started.returncode == 2
    assert "deft: Process 1 of 2 has ended (signal 9), so the others were ended" in said
    assert not (run / "labels.parquet").exists()
    resumed = deft("detect", photos, "-o", run, *typed, "--resume", "--processes", "3")
    assert resumed.returncode == 0, resumed.stderr
    assert deft("detect", photos, "-o", tmp_path / "one", *typed).returncode == 0
    assert_same_run(tmp_path / "one", run, 1e-4)


def _rank_one(parent: int) -> int:
    """Return the process of rank 1 that a command started."""
    for line in subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(parent)], text=True).split():
        if b"\0RANK=1\0" in b"\0" + Path(f"/proc/{line}/environ").read_bytes():
            return int(line)
    raise AssertionError("there is no process of rank 1")


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each process runs instead of deft, by rank."""
    texts: list[str] = []
    start = subprocess.Popen

    def other(command: list[str], **settings: object) -> subprocess.Popen[bytes]:
        rank = int(settings["env"]["RANK"])  # type: ignore[index]
        return start([sys.executable, "-c", texts[rank]], **settings)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr("deft.cli.launch.subprocess.Popen", other)
    return texts


@pytest.mark.parametrize(
    ("texts", "code", "said"),
    [
        (["pass", "pass"], 0, ""),
        (["import sys; sys.exit(3)", "import sys; sys.exit(3)"], 3, ""),
        (["import sys; sys.exit(2)", "import time; time.sleep(600)"], 2, ""),
        (
            ["import time; time.sleep(600)", "import sys; sys.exit('deft: No memory.')"],
            1,
            "deft: Process 1 of 2 has ended (exit code 1), so the others were ended; it said: deft: No memory.",
        ),
        (
            ["import time; time.sleep(600)", "import os; os.abort()"],
            2,
            "deft: Process 1 of 2 has ended (signal 6), so the others were ended",
        ),
        (
            ["import sys; sys.exit(75)", "import os, time; time.sleep(1); os.abort()"],
            2,
            "deft: Process 1 of 2 has ended (signal 6), so the others were ended",
        ),
    ],
)
@POSIX
def test_processes_end_together_with_a_sentence(
    programs: list[str], capfd: pytest.CaptureFixture[str], texts: list[str], code: int, said: str
) -> None:
    programs += texts
    assert launch.launch(["detect"], 2) == code
    assert capfd.readouterr().err.strip() == said


@POSIX
def test_a_process_that_does_not_end_is_killed(programs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE", 0.5)
    programs += ["import sys; sys.exit(2)", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    assert launch.launch(["detect"], 2) == 2


def test_a_process_alone_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, several in (("1", False), ("2", True), ("many", False)):
        monkeypatch.setenv("WORLD_SIZE", value)
        monkeypatch.setenv("RANK", "1")
        assert launch.is_one_of_several() == several
        assert launch.rank_here() == int(several)
