"""What a Ray actor does with a part, and how a cluster is reached: without Ray."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from deft.engines.judges import Kept
from deft.engines.parts import Part, find_units
from deft.engines.ray_cluster import Size, _no_standard_error, joined
from deft.engines.ray_data import MOST_TRIES, _Actor
from deft.engines.scorer import Scorer, Work
from deft.runs.source import Source

ONE = {"unit": np.array([0]), "start": np.array([0]), "stop": np.array([4])}
NAME = Part(0, 0, 4).file


@pytest.fixture
def work(photos: Path, detector: Path, tmp_path: Path) -> Work:
    return Work(tuple(find_units(Source(str(photos)))), Kept(str(detector)), str(tmp_path), "cpu", 0)


def test_a_part_that_is_done_leaves_its_verdicts_and_no_note_of_tries(work: Work, tmp_path: Path) -> None:
    found = _Actor(work)(ONE)
    assert found["error"] == [""]
    assert json.loads(found["record"][0])["rows"] == 4
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_part_over_which_every_actor_dies_is_given_up(work: Work, tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.tries").write_bytes(b"." * (MOST_TRIES - 1))
    assert _Actor(work)(ONE)["error"] == [""]
    (tmp_path / f".{NAME}.tries").write_bytes(b"." * MOST_TRIES)
    assert _Actor(work)(ONE)["error"][0].startswith(f"{MOST_TRIES} workers died over {NAME}")


def test_a_disk_that_is_full_is_a_sentence(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/scores")

    monkeypatch.setattr(Scorer, "score", full)
    assert _Actor(work)(ONE)["error"] == ["/scores: No space left on device."]


def test_standard_error_is_dropped_only_within(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with _no_standard_error():
        os.write(2, b"within ")
    os.write(2, b"after")
    sys.stderr.flush()
    assert capfd.readouterr().err == "before after"


@pytest.mark.parametrize(
    ("given", "named", "asked"),
    [
        (None, None, "local"),  # and not a cluster that Ray has noted, which may be long dead
        (None, "auto", "auto"),
        ("local", "auto", "local"),
    ],
)
def test_a_cluster_is_started_here_where_none_is_named_and_ended_afterwards(
    monkeypatch: pytest.MonkeyPatch, given: str | None, named: str | None, asked: str
) -> None:
    done: list[object] = []
    ray = ModuleType("ray")
    for name, act in {
        "is_initialized": lambda: False,
        "init": lambda **words: done.append((words["address"], os.environ["RAY_USAGE_STATS_ENABLED"])),
        "cluster_resources": lambda: {"CPU": 3.0},
        "shutdown": lambda: done.append("shut down"),
    }.items():
        setattr(ray, name, act)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if named is not None:
        monkeypatch.setenv("RAY_ADDRESS", named)
    with joined(given) as size:
        assert size == Size(3, 0)
    assert done == [(asked, "0"), "shut down"]
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
