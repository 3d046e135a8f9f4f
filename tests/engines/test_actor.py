"""What a Ray actor does with a part, and how a cluster is reached: without Ray."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deft.engines.judges import Kept
from deft.engines.parts import Part, find_units
from deft.engines.ray_cluster import _no_standard_error
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
