"""An export format is one function and one line: the recipe, followed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deft.data.images import LabeledImages
from deft.export import formats
from deft.export.plan import Plan
from deft.export.write import write_export
from deft.runs.detection import Detection
from deft.runs.outcomes import decide

FILE = """
from deft.export.plan import Written

def write_names(plan, to):
    (to.folder / "names.txt").write_text("\\n".join(plan.images.file_name), encoding="utf-8")
    return Written(("names.txt",), len(plan.images))
"""


def test_a_format_is_one_function_and_one_line(
    images: LabeledImages, found: Detection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(images, found, decide(found, {}, fix="keep"))
    (tmp_path / "names_format.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, "names": "names_format:write_names"})
    written = write_export(plan, tmp_path / "out", "names")
    assert written.images == len(plan.images)
    assert (tmp_path / "out" / "names.txt").read_text(encoding="utf-8").splitlines() == list(plan.images.file_name)
