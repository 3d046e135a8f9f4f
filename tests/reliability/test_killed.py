"""Killed at any moment, a command leaves what can be resumed to the same result, and nothing half."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deft.manifest import MANIFEST
from deft.runs.decisions import Decision, Decisions, now, read_log
from deft.runs.detection import Detection
from deft.runs.vocabulary import Status

from .tools import FAST

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="needs fork")]

KILLED = 77
CLOCKED = {"summary.json", "report.html", "labels.parquet", "training.json", "README.md", MANIFEST}
"""Files that say how long the run took; the rest must be the same to the bit."""


def killed(work: Path, points: int, first: tuple[object, ...], then: tuple[object, ...] = ()) -> dict[str, Any]:
    """Kill a command at `points` of its renames, and finish it."""
    program = Path(__file__).with_name("killed.py")
    words = [*map(str, first), *(["--then", *map(str, then)] if then else [])]
    there = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), str(work), str(points), *words],
        capture_output=True, text=True, env=there, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for one in found["tries"]:
        assert one["ended"] == KILLED, (one, done.stderr[-3000:])
        assert one["code"] == 0, (one["at"], one["left"], done.stderr[-3000:])
        assert_same(one["files"], found["whole"], one["at"])
    return found


def assert_same(files: dict[str, str], whole: dict[str, str], at: str) -> None:
    """The same files, with the same contents but for times; no leftovers."""
    assert set(files) == set(whole), at
    for name, checksum in whole.items():
        if Path(name).name not in CLOCKED and name in files:
            assert files[name] == checksum, (at, name)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_a_killed_detection_resumes_to_the_same_verdicts(work: Path, photos: Path, clip_folder: Path) -> None:
    words = ("detect", photos, "-o", "{out}", "--model", clip_folder, *FAST, "-q")
    found = killed(work, 20, words, (*words, "--resume"))
    assert len(found["renames"]) >= 20
    assert {"labels.parquet", "labels.csv", "report.html", "detector.json"} <= set(found["renames"])


def test_a_killed_training_resumes_to_the_same_model(
    work: Path, photos: Path, backbone_folder: Callable[[str], Path]
) -> None:
    words = ("adapt", photos, "-o", "{out}", "--backbone", backbone_folder("resnet"), "--epochs", "2", "-q")
    found = killed(work, 20, words, (*words, "--resume"))
    assert found["renames"][-1] == "config.json"
    needed = {"out/model.safetensors", "out/preprocessor_config.json", "out/training.json", f"out/{MANIFEST}"}
    for one in found["tries"]:  # a model folder is whole or isn't there
        assert "out/config.json" not in one["left"] or needed <= set(one["left"]), one["left"]


def test_a_killed_export_is_whole_or_not_there(work: Path, photos: Path, made_run: Path) -> None:
    shutil.copytree(made_run, work / "run")
    with Decisions(work / "run") as log:  # so that a label changes, without which there is no patch
        log.record(Decision(*_corrected(work / "run"), "Ada", now()), expected=0)
    for number, format in enumerate(("imagefolder", "csv", "parquet", "patch", "labelstudio")):
        place = Path(shutil.copytree(work, work.parent / str(number) / "work"))
        words = ("export", "{work}/run", "--to", "{out}", "--as", format, "-q")
        found = killed(place, 2, words)
        for one in found["tries"]:
            whole = {name for name in found["whole"] if name.startswith("out/")}
            assert {name for name in one["left"] if name.startswith("out/")} in (set(), whole)


def _corrected(run: Path) -> tuple[str, Status, str, str]:
    """Return a decision that gives the first image the other class."""
    found = Detection.load(run)
    return found.sample_id[0], "corrected", found.classes[found.given[0]], found.classes[1 - found.given[0]]


RECORDS = """
import os, sys
from deft.runs import decisions, sqlite_log
from deft.runs.decisions import Decision, Decisions, now

at, place, run = int(sys.argv[1]), sys.argv[2], sys.argv[3]
count = 0
def maybe(where):
    global count
    count += where == place
    if count == at and where == place:
        os._exit(77)

add, link, make = decisions.add_row, os.link, sqlite_log._make
def adds(*args):
    maybe("before")
    add(*args)
    maybe("between")
def links(*args, **more):
    maybe("unnamed")
    link(*args, **more)
    maybe("named")
decisions.add_row, os.link = adds, links
with Decisions(run) as log:
    for number in range(8):
        log.record(Decision(f"dog/{number}.png", "kept", "dog", "dog", "Ada", now()), expected=0)
        print(number, flush=True)
        maybe("after")
"""


@pytest.mark.parametrize(
    ("at", "place"),
    [(1, "unnamed"), (1, "named"), *((at, place) for at in (1, 3, 8) for place in ("before", "between", "after"))],
)
def test_a_killed_review_keeps_what_was_acknowledged(tmp_path: Path, at: int, place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RECORDS, str(at), place, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == KILLED, done.stderr
    acknowledged = len(done.stdout.split())
    assert acknowledged == (0 if "named" in place else at if place == "after" else at - 1)
    assert [one.decision.sample_id for one in read_log(tmp_path)] == [f"dog/{k}.png" for k in range(acknowledged)]
    with Decisions(tmp_path) as log:
        assert len(log.history()) == acknowledged
        log.undo_all([(f"dog/{k}.png", 1) for k in range(acknowledged)], "Ada", "now") if acknowledged else None
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == [] or not acknowledged
