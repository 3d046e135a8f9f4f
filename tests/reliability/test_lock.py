"""A folder has one writer; who died doesn't count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from deft.errors import DataError
from deft.files import replace_file, temporary_folder
from deft.owner import is_left_over, this_process
from deft.runs.lock import LOCK, only_writer, refuse_second

HOLDS = """
import sys
from pathlib import Path
from deft.runs.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes into `tmp_path/run`."""
    there = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "run")], text=True, **there)  # type: ignore[call-overload]
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_writes(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    for ask in (refuse_second, lambda folder: only_writer(folder).__enter__()):
        with pytest.raises(DataError, match=f"is being written by process {holder.pid} on .*, since 20"):
            ask(run)


def test_what_a_killed_process_left_is_taken_over(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    run = tmp_path / "run"
    assert (run / LOCK).exists()
    refuse_second(run)
    with only_writer(run):
        assert json.loads((run / LOCK).read_text())["owner"]["pid"] == os.getpid()
    assert not run.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process could heed")
def test_a_process_that_ends_gives_it_back(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGINT)
    holder.communicate()
    assert not (tmp_path / "run").exists()


def test_inside_one_process_it_may_be_asked_for_again(tmp_path: Path) -> None:
    with only_writer(tmp_path / "run"):
        with only_writer(tmp_path / "run"):
            (tmp_path / "run" / "a").touch()
        assert (tmp_path / "run" / LOCK).exists()
    assert [one.name for one in (tmp_path / "run").iterdir()] == ["a"]


def test_where_there_are_no_locks_the_noted_process_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unknown(file: object, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    other = replace(this_process(), pid=os.getppid(), start=0)
    (tmp_path / LOCK).write_text(json.dumps({"owner": asdict(other), "since": 1.0}))
    with pytest.raises(DataError, match=f"process {os.getppid()}"), only_writer(tmp_path):
        pass
    gone = replace(this_process(), start=this_process().start + 1)  # the number is in use, by a later process
    (tmp_path / LOCK).write_text(json.dumps({"owner": asdict(gone), "since": 1.0}))
    with only_writer(tmp_path):
        pass


def test_a_process_is_known_by_number_and_start() -> None:
    me = this_process()
    assert me.runs
    assert not replace(me, start=me.start + 1).runs
    assert replace(me, host="elsewhere", start=me.start + 1).runs
    assert not is_left_over(f".a.{me.mark}.part")
    assert is_left_over(f".a.{replace(me, start=me.start + 1).mark}.part")
    assert not is_left_over(f".a.{replace(me, host='elsewhere', start=me.start + 1).mark}.part")
    assert not is_left_over("somebody's.part")


def test_leftovers_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    me = this_process()
    dead = replace(me, start=me.start + 1).mark
    for name in (f".a.csv.x{dead}.part", f".b.csv.x.{dead}.part", ".a.csv.mine.part", f".a.csv.y.{me.mark}.part"):
        (tmp_path / name).touch()
    (tmp_path / f".a.csv.z.{dead}.part").mkdir()
    with replace_file(tmp_path / "a.csv") as temporary:
        temporary.write_text("a")
    there = {one.name for one in tmp_path.iterdir()}
    assert there == {"a.csv", f".b.csv.x.{dead}.part", ".a.csv.mine.part", f".a.csv.y.{me.mark}.part"}
    with temporary_folder(tmp_path / "b.csv") as folder:
        assert folder.is_dir()
    assert f".b.csv.x.{dead}.part" not in {one.name for one in tmp_path.iterdir()}
