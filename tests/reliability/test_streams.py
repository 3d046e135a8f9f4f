"""Streams that end or are missing, full and read-only disks, signals: sentences and the right exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deft.runs.lock import LOCK

from .tools import FAST, deft, one_sentence

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs a shell and signals")


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `deft` is the command and $1, $2, ... are the words."""
    program = f'set -o pipefail; deft() {{ "{sys.executable}" -m deft "$@"; }}; {line}'
    there = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", program, "bash", *map(str, words)], capture_output=True, text=True, env=there, check=False
    )


@POSIX
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('deft report "$1" -o "$2" | true', 0, ""),
        ('deft report "$1" -o "$2" 2>&1 | true', 0, ""),
        ('deft report "$1" -o "$2" >&-', 0, ""),
        ('deft report "$1" -o "$2" >&- 2>&- <&-', 0, ""),
        ('deft report "$1" -o "$2" >/dev/full', 2, "What is printed can't be written: No space left on device."),
        ('deft report "$1" -o "$2" </dev/null', 0, ""),
        ("deft --help | true", 0, ""),
    ],
)
def test_what_becomes_of_a_command_when_a_stream_ends(
    run: Path, tmp_path: Path, line: str, code: int, said: str
) -> None:
    done = shell(line, run, page := tmp_path / "page.html")
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr
    assert page.exists() or "help" in line


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_signals_end_a_command_in_order(tmp_path: Path, name: str, code: int) -> None:
    program = tmp_path / "waits.py"
    program.write_text(
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # nohup and & ignore them
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from deft.cli import app\n"
        "from deft.runs.lock import only_writer\n"
        "def wait(run: str) -> None:\n"
        "    with only_writer(Path(run)):\n"
        "        (Path(run) / 'started').touch()\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(600)\n"
        "app.app.command(name='wait')(wait)\n"
        "app.run()\n"
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, program, "wait", tmp_path / "run"], **streams)  # type: ignore[call-overload]
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (code, "Stopped.\n")
    assert [one.name for one in (tmp_path / "run").iterdir()] == ["started"]  # the lock is gone


@POSIX
def test_forked_workers_end_when_their_pool_ends(tmp_path: Path) -> None:
    program = tmp_path / "forks.py"
    program.write_text(
        "import os, signal\n"
        "from deft.cli.terminal import heed_signals\n"
        "reading, writing = os.pipe()\n"
        "os.register_at_fork(after_in_child=lambda: os.read(reading, 1))\n"  # the worker starts only when it is ended
        "heed_signals()\n"
        "assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
        "worker = os.fork()\n"
        "if worker == 0:\n"
        "    os._exit(0)\n"
        "os.kill(worker, signal.SIGTERM)\n"
        "os.write(writing, b'x')\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])\n"
        "raise SystemExit(0 if code == -signal.SIGTERM else f'{code}')\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@POSIX
@pytest.mark.parametrize("limit", [0, 300, 3000, 20_000])
def test_a_full_disk_is_a_sentence(
    photos: Path, clip_folder: Path, run: Path, model: Path, tmp_path: Path, limit: int
) -> None:
    """No file may grow beyond the limit, which is how a full disk looks to most writers."""
    import resource

    lines = [
        ("detect", photos, "-o", tmp_path / "new", "--model", clip_folder, *FAST),
        ("report", run),
        ("export", run, "--to", tmp_path / "to"),
        ("export", run, "--to", tmp_path / "pq", "--as", "parquet"),
        ("predict", model, photos, "-o", tmp_path / "answers.csv"),
        ("adapt", photos, "-o", tmp_path / "model2", "--backbone", model, "--epochs", "1"),
    ]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for words in lines:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            result = deft(*words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if result.exit_code:
            assert len(one_sentence(result).strip().splitlines()[-1]) > 20
    assert result.exit_code == 2
    for folder in ("new", "to", "pq", "model2"):
        assert not list(tmp_path.glob(f".{folder}*"))


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_sentence(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    said = one_sentence(deft("detect", photos, "-o", place / "run", "--model", clip_folder, *FAST))
    assert "Permission denied" in said


def test_a_parent_that_is_a_file_is_a_sentence(photos: Path, clip_folder: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (
        ("detect", photos, "-o", tmp_path / "file" / "run", "--model", clip_folder, *FAST),
        ("export", run, "--to", tmp_path / "file" / "to"),
        ("report", run, "-o", tmp_path / "file" / "page.html"),
    ):
        one_sentence(deft(*words))


def test_photos_that_vanish_are_a_sentence(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    import shutil

    mine = Path(shutil.copytree(photos, tmp_path / "photos"))
    one_sentence(deft("detect", mine, "-o", tmp_path / "run", "--model", clip_folder, *FAST), 0)
    shutil.rmtree(mine)
    for words in (("report", tmp_path / "run"), ("export", tmp_path / "run", "--to", tmp_path / "to")):
        assert "no longer at" in one_sentence(deft(*words))
    shutil.rmtree(tmp_path / "run")
    assert "There is no run folder" in one_sentence(deft("report", tmp_path / "run"))


def test_a_run_that_is_being_written_is_left_alone(
    photos: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deft.runs.lock._take", lambda file, path: False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text("")
    said = one_sentence(deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *FAST, "--resume"))
    assert "is being written by another process" in said
