"""An export that is asked for again: its own result is left as it is, and everything else is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.export.formats import FORMATS
from deft.export.plan import Plan
from deft.export.stamp import STAMP
from deft.export.write import write_export
from deft.runs.detection import Detection
from deft.runs.outcomes import decide

State = list[tuple[str, int, int]]


def _state(folder: Path) -> State:
    """Name, size and time of all that is there."""
    found = [(path, os.lstat(path)) for path in sorted(folder.rglob("*"))]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found]


@pytest.fixture
def plan(images: LabeledImages, found: Detection) -> Plan:
    return Plan(images, found, decide(found, {}, fix="relabel"))


@pytest.mark.parametrize(("format", "link"), [*((name, "copy") for name in FORMATS), ("imagefolder", "symlink")])
def test_the_same_export_again_writes_nothing(plan: Plan, tmp_path: Path, format: str, link: Any) -> None:
    out = tmp_path / "out"
    first = write_export(plan, out, format, link=link)
    before = _state(out)
    again = write_export(plan, out, format, link=link)
    assert (first.already, again) == (False, replace(first, already=True))
    assert _state(out) == before


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "labelstudio"])  # which has to be told one
def test_no_path_is_noted(plan: Plan, tmp_path: Path, format: str) -> None:
    write_export(plan, tmp_path / "out", format, root=None)
    assert str(tmp_path) not in (tmp_path / "out" / STAMP).read_text()


def _other_fix(plan: Plan) -> Plan:
    return replace(plan, outcomes=decide(plan.found, {}, fix="drop"))


def _other_scores(plan: Plan) -> Plan:
    verdicts = replace(plan.found.verdicts, p_clean=plan.found.p_clean * 0.5)
    return replace(plan, found=replace(plan.found, verdicts=verdicts))


def _other_images(plan: Plan) -> Plan:
    return replace(plan, found=replace(plan.found, content=tuple(f"blake2b:{row}" for row in range(len(plan.found)))))


@pytest.mark.parametrize("change", [_other_fix, _other_scores, _other_images])
def test_other_labels_or_images_are_refused(plan: Plan, tmp_path: Path, change: Callable[[Plan], Plan]) -> None:
    write_export(plan, tmp_path / "out", "csv")
    before = _state(tmp_path / "out")
    with pytest.raises(DataError, match="holds another export"):
        write_export(change(plan), tmp_path / "out", "csv")
    assert _state(tmp_path / "out") == before


@pytest.mark.parametrize("options", [{"format": "csv"}, {"link": "hard"}, {"safe_csv": True}])
def test_other_options_are_refused(plan: Plan, tmp_path: Path, options: dict[str, Any]) -> None:
    write_export(plan, tmp_path / "out")
    with pytest.raises(DataError, match="holds another export"):
        write_export(plan, tmp_path / "out", **options)


def test_an_export_that_was_changed_is_refused(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_export(plan, out)
    (out / "dog" / "1.png").unlink()
    with pytest.raises(DataError, match="was changed since"):
        write_export(plan, out)
    (out / "dog" / "1.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="was changed since"):
        write_export(plan, out)
    assert (out / "dog" / "1.png").read_bytes() == b"mine"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"export": 1, "tree": 2, "written": 3}', "[" * 100_000])
def test_somebody_s_folder_is_refused(plan: Plan, tmp_path: Path, text: str | None) -> None:
    (tmp_path / "mine.txt").touch()
    if text is not None:
        (tmp_path / STAMP).write_text(text)
    with pytest.raises(DataError, match="is not empty"):
        write_export(plan, tmp_path)
