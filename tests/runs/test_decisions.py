"""The log of decisions: nothing is lost, nothing is overwritten."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deft.errors import ConflictError, DataError
from deft.runs.decisions import FILE, Decision, Decisions, copy_log, now, read_decisions, read_log, standing

KEPT = Decision("a", "kept", "cat", "cat", "Ada", "2026-11-24T09:00:00.000+00:00")
DOG = replace(KEPT, status="corrected", to_label="dog")
BAD = replace(KEPT, status="bad_image", to_label=None)


def test_what_is_recorded_is_there_for_who_opens_it_next(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        assert log.record(KEPT, expected=0) == 1
        assert log.record(replace(DOG, sample_id="b"), expected=None) == 1
    with Decisions(tmp_path) as log:
        assert log.latest() == {"a": KEPT, "b": replace(DOG, sample_id="b")}
        assert log.revision("a") == 1
        assert log.revision("c") == 0


def test_the_last_decision_stands_and_the_first_stays_in_the_log(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        log.record(KEPT, expected=0)
        assert log.record(DOG, expected=1) == 2
        assert log.latest() == {"a": DOG}
        assert [(entry.revision, entry.action, entry.decision) for entry in log.history("a")] == [
            (1, "decide", KEPT),
            (2, "decide", DOG),
        ]


def test_an_image_that_somebody_else_decided_is_not_overwritten(tmp_path: Path) -> None:
    with Decisions(tmp_path) as ada, Decisions(tmp_path) as ben:
        ada.record(KEPT, expected=0)
        with pytest.raises(ConflictError, match="revision 1, the page shows revision 0"):
            ben.record(replace(DOG, reviewer="Ben"), expected=0)
        with pytest.raises(ConflictError):
            ben.undo("a", "Ben", now(), expected=0)
        assert ben.latest() == {"a": KEPT}
        assert ben.record(replace(DOG, reviewer="Ben"), expected=1) == 2


def test_many_at_once_are_all_or_none(tmp_path: Path) -> None:
    others = [replace(KEPT, sample_id=name) for name in "bcd"]
    with Decisions(tmp_path) as log:
        log.record(KEPT, expected=0)
        with pytest.raises(ConflictError):
            log.record_all([(others[0], 0), (KEPT, 0), (others[1], 0)])
        assert set(log.latest()) == {"a"}
        assert log.record_all([(others[0], 0), (KEPT, 1), (others[1], 0)]) == [1, 2, 1]
        assert set(log.latest()) == {"a", "b", "c"}


def test_undo_goes_back_one_by_one_and_is_itself_in_the_log(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        for revision, decision in enumerate((KEPT, DOG, BAD)):
            log.record(decision, expected=revision)
        assert log.undo("a", "Ben", "2026-11-24T10:00:00.000+00:00", expected=3) == 4
        assert log.latest() == {"a": DOG}
        assert log.undo("a", "Ben", now(), expected=4) == 5
        assert log.latest() == {"a": KEPT}
        log.undo("a", "Ben", now(), expected=None)
        assert log.latest() == {}
        with pytest.raises(DataError, match="no decision about a to undo"):
            log.undo("a", "Ben", now(), expected=6)
        first = log.history("a")[3]
        assert (first.action, first.decision.status, first.decision.reviewer) == ("undo", "bad_image", "Ben")
        assert len(log.history()) == 6


def test_undoing_many_is_all_or_none(tmp_path: Path) -> None:
    other = replace(BAD, sample_id="b")
    with Decisions(tmp_path) as log:
        log.record_all([(KEPT, 0), (other, 0)])
        with pytest.raises(DataError, match="no decision about c"):
            log.undo_all([("a", 1), ("c", 0)], "Ada", now())
        assert log.latest() == {"a": KEPT, "b": other}
        assert log.undo_all([("a", 1), ("b", 1)], "Ada", now()) == [2, 2]
        assert log.latest() == {}


def test_a_copy_holds_the_whole_log_and_goes_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    with Decisions(tmp_path) as log:
        log.record(KEPT, expected=0)
        log.copy_to(tmp_path / "next")
        with Decisions(tmp_path / "next") as copy:
            assert copy.history() == log.history()
            copy.record(DOG, expected=1)
        assert log.latest() == {"a": KEPT}
    assert [path.name for path in (tmp_path / "next").iterdir()] == [FILE]


def test_reading_on_gives_only_what_is_new(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log, Decisions(tmp_path) as other:
        log.record(KEPT, expected=0)
        seen = log.history()[-1].number
        other.record(DOG, expected=1)
        assert [entry.decision for entry in log.history(after=seen)] == [DOG]
        assert standing(log.history()) == {"a": [KEPT, DOG]}


@pytest.mark.parametrize(
    ("status", "given", "new"),
    [("kept", "cat", "dog"), ("kept", "", ""), ("corrected", "cat", "cat"), ("corrected", "cat", None)]
    + [(status, "cat", "cat") for status in ("none_of_these", "bad_image", "skipped", "maybe")],
)
def test_a_decision_that_contradicts_itself_is_refused(status: str, given: str, new: str | None) -> None:
    with pytest.raises(DataError):
        Decision("a", status, given, new, "Ada", now())  # type: ignore[arg-type]


def test_a_killed_process_loses_nothing_it_had_recorded(tmp_path: Path) -> None:
    """The child says each revision once `record` has returned, and is killed in the middle of its work."""
    script = (
        "import sys; from deft.runs.decisions import *\n"
        "log = Decisions(sys.argv[1])\n"
        "for number in range(100_000):\n"
        "    log.record(Decision(f'{number}', 'kept', 'cat', 'cat', 'Ada', now()), 0); print(number, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(40)]
        os.kill(child.pid, signal.SIGKILL)
        said += [int(line) for line in child.stdout.read().splitlines() if line]
    assert child.returncode == -signal.SIGKILL
    kept = read_decisions(tmp_path)
    assert {str(number) for number in said} <= set(kept)
    assert len(kept) <= len(said) + 1
    with Decisions(tmp_path) as log:
        assert log.record(KEPT, expected=0) == 1


def test_the_file_is_written_ahead_and_synchronised(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        log.record(KEPT, expected=0)
        assert log._made is not None
        assert log._made.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert log._made.execute("PRAGMA synchronous").fetchone() == (2,)


def test_where_nobody_reviewed_nothing_is_made(tmp_path: Path) -> None:
    assert read_decisions(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="no run folder"):
        Decisions(tmp_path / "nowhere")


def test_a_log_that_nobody_writes_to_leaves_no_trace(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        assert (log.history(), log.latest(), log.revision("a")) == ([], {}, 0)
        assert list(tmp_path.iterdir()) == []
        with Decisions(tmp_path) as other:
            other.record(KEPT, expected=0)
        assert log.latest() == {"a": KEPT}  # what another process made since is seen
    with pytest.raises(DataError, match="was closed"):
        log.history()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("writable", [True, False])
def test_reading_changes_nothing_and_needs_no_right_to_write(tmp_path: Path, writable: bool) -> None:
    run, new = tmp_path / "a run?#%20", tmp_path / "new"
    run.mkdir()
    new.mkdir()
    with Decisions(run) as log:
        log.record(KEPT, expected=0)
        log.record(DOG, expected=1)
    before = contents(run)
    assert list(before) == [FILE]
    run.chmod(0o755 if writable else 0o555)
    assert read_decisions(run) == {"a": DOG}
    assert [entry.decision for entry in read_log(run)] == [KEPT, DOG]
    copy_log(run, new)
    run.chmod(0o755)
    assert contents(run) == before
    assert read_log(new) == read_log(run)


def test_a_log_that_is_being_written_is_read_as_it_is_now(tmp_path: Path) -> None:
    with Decisions(tmp_path) as log:
        log.record(KEPT, expected=0)
        assert read_decisions(tmp_path) == {"a": KEPT}
        log.record(DOG, expected=1)
        assert read_decisions(tmp_path) == {"a": DOG}


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, however long it may be" * 50)
    with pytest.raises(DataError, match=r"reviews\.sqlite can't be read"):
        Decisions(tmp_path)
    (tmp_path / FILE).unlink()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(DataError, match="format 7; this deft reads format 2"):
        read_decisions(tmp_path)


@pytest.mark.parametrize("decided", [False, True])
def test_looking_without_deciding_leaves_no_trace(tmp_path: Path, decided: bool) -> None:
    if decided:
        with Decisions(tmp_path) as log:
            log.record(KEPT, expected=0)

    def state() -> dict[str, tuple[int, int]]:
        return {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in (tmp_path, *tmp_path.iterdir())}

    before = state()
    with Decisions(tmp_path) as log, Decisions(tmp_path) as another:
        assert len(log.history()) == len(another.latest()) == int(decided)
        assert log.revision("a") == int(decided)
        assert state() == before
        if decided:
            another.record(DOG, expected=1)
            assert log.latest() == {"a": DOG}  # of which the one that only reads hears
