"""What a run says, as records of the standard library's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from tests.heard import Heard

import deft
from deft.errors import SettingsError
from deft.progress_log import LoggedProgress


def test_it_is_in_the_index() -> None:
    assert deft.LoggedProgress is LoggedProgress


def test_tasks_notes_and_numbers_become_records(caplog: pytest.LogCaptureFixture) -> None:
    clock, beside = iter(range(0, 1000, 10)), Heard()
    log = LoggedProgress(beside, seconds=25, clock=lambda: float(next(clock)))
    with caplog.at_level(logging.DEBUG, logger="deft"), log:
        assert list(log.track(iter("abcdef"), "Encoding images", total=6)) == list("abcdef")
        log.note("Half of it 100 % done.")
        log.measure("training/loss", 0.25, 3)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "Encoding images: 6 steps"),
        ("INFO", "Encoding images: 3 of 6 steps"),
        ("INFO", "Encoding images: 6 of 6 steps"),
        ("INFO", "Encoding images: done after 70.0 s"),
        ("INFO", "Half of it 100 % done."),
        ("DEBUG", "training/loss 0.25 at 3"),
    ]
    assert {one.name for one in caplog.records} == {"deft"}
    assert beside.told == ["Encoding images", "Half of it 100 % done.", ("training/loss", 0.25, 3)]


def test_a_task_that_breaks_off_is_not_done(caplog: pytest.LogCaptureFixture) -> None:
    def steps() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    with caplog.at_level(logging.INFO, logger="mine"), pytest.raises(RuntimeError):
        list(LoggedProgress(logger=logging.getLogger("mine")).track(steps(), "Reading images"))
    assert [one.getMessage() for one in caplog.records] == ["Reading images"]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"can't be -1 seconds apart"):
        LoggedProgress(seconds=-1)
