"""Faces on a finished run need neither the libraries that learn nor the seconds that importing them takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.load import load_images
from deft.data.sources import DEMO
from deft.runs.detection import Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.source import Source

HEAVY = ("torch", "sklearn", "scipy", "transformers", "accelerate", "peft", "datasets", "matplotlib")

COMMANDS = """
import sys
from deft.cli import main
sys.argv = ["deft", *{arguments}]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print("loaded:", *(name for name in {heavy} if name in sys.modules))
"""

REVIEW = """
import sys
from pathlib import Path
from deft.reviewing.access import Access
from deft.reviewing.desk import Desk
from deft.reviewing.pictures import Pictures
from deft.reviewing.query import Query
from deft.reviewing.serve import serve
from deft.reviewing.server import create_app
from deft.runs.decisions import Decisions
from deft.runs.folder import open_run
from deft.runs.reviewed import load_before

run = Path({run})
found, images = open_run(run)
with Decisions(run) as log:
    desk = Desk(found, log, "Ada", load_before(run))
    create_app(desk, Pictures(images), Access(8000, print))
    items = desk.page(Query(), after=-1, limit=3).items
    desk.decide("keep", [(items[0]["id"], 0)])
    Pictures(images).get(0, 160)
print("loaded:", *(name for name in {heavy} if name in sys.modules))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over ten photos of which the truth is known, three of them flagged."""
    root = tmp_path_factory.mktemp("light")
    for number, name in enumerate(("cat", "dog")):
        (root / "photos" / name).mkdir(parents=True)
        for index in range(5):
            Image.new("RGB", (12, 10), (40 * index, 100 * number, 10)).save(root / "photos" / name / f"{index}.png")
    rows = [f"{name}/{index}.png,{name},dog" for name in ("cat", "dog") for index in range(5)]
    table = root / "photos" / "labels.csv"
    table.write_text("\n".join(["file_name,label,truth", *rows]))
    source = Source(str(table), label_column="label", clean_column="truth")
    images = source.open()
    p_clean = np.where(np.arange(10) < 3, 0.2, 0.9).astype(np.float32)
    topk = np.stack([images.labels, 1 - images.labels], axis=1)
    probs = np.tile(np.array([0.7, 0.3], np.float32), (10, 1))
    verdicts = Verdicts(p_clean, p_clean > 0.5, np.where(p_clean > 0.5, images.labels, 1), topk, probs)
    found = new_detection(images, verdicts, read_errors={}, settings={"detector": "deft"}, info={})
    found.save(root / "run")
    source.save(root / "run")
    return root / "run"


def loaded(code: str) -> list[str]:
    """Run code in a fresh interpreter; the heavy packages that were loaded in the end."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].removeprefix("loaded:").split()


@pytest.mark.parametrize("form", ["report", "imagefolder", "csv", "patch", "cleanlab", "labelstudio", "fiftyone"])
def test_a_command_on_a_finished_run_loads_nothing_that_learns(run: Path, tmp_path: Path, form: str) -> None:
    arguments = ["export", str(run), "--to", str(tmp_path / "out"), "--as", form]
    if form == "report":
        arguments = ["report", str(run), "-o", str(tmp_path / "report.html")]
    assert loaded(COMMANDS.format(arguments=arguments, heavy=HEAVY)) == []


def test_a_review_page_loads_nothing_that_learns(run: Path) -> None:
    assert loaded(REVIEW.format(run=repr(str(run)), heavy=HEAVY)) == []


def test_the_demo_s_run_does_not_wait_for_scikit_learn(tmp_path: Path) -> None:
    Source(DEMO).save(tmp_path)
    code = f"from deft.runs.folder import Source; Source.load({str(tmp_path)!r}).open()"
    assert "sklearn" not in loaded(f"{code}\nimport sys\nprint('loaded:', *(n for n in {HEAVY} if n in sys.modules))")


def test_a_detector_that_is_told_the_noise_rate_does_not_wait_for_scikit_learn() -> None:
    code = f"import sys, deft\ndeft.SmallLoss\nprint('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    assert "sklearn" not in loaded(code)


def test_naming_the_detector_waits_for_no_model_of_transformers() -> None:
    code = f"import sys, deft\ndeft.DeFT\nprint('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    assert set(loaded(code)) <= {"torch", "scipy"}


def test_the_demo_speaks_before_it_loads_what_learns(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import deft.cli.progress
from deft.cli.demo import demo
from deft.progress import Silent

class First(Silent):
    def note(self, text):
        print("loaded:", *(name for name in {HEAVY} if name in sys.modules))
        raise SystemExit

deft.cli.progress.choose_progress = lambda **settings: First()
demo(Path({str(tmp_path / "demo")!r}))
"""
    assert loaded(code) == []


def test_the_run_is_as_it_was_made(run: Path) -> None:
    found, images = open_run(run)
    assert found.clean_labels is not None
    assert int(found.is_label_issue.sum()) == 3
    assert images.sample_id == load_images(run.parent / "photos" / "labels.csv", label_column="label").sample_id
