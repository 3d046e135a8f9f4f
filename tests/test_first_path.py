"""A new user's path, by the commands of the README alone: detect, review, second round, export, train, predict."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from deft.data.digits import digits
from deft.data.image_bytes import image_file
from deft.reviewing.desk import Desk
from deft.reviewing.query import Query
from deft.runs.decisions import Decisions
from deft.runs.folder import open_run

ROOT = Path(__file__).parents[1]
SMALLER = {
    "detect photos/": ["--model", "tiny", "--workers", "0", "--set", "epochs=2", "--quiet"],
    "detect run/": ["--workers", "0", "--quiet"],
    "adapt": ["--epochs", "1", "--workers", "0", "--quiet"],
    "export": ["--quiet"],
    "predict": ["--workers", "0", "--quiet"],
    "compare": ["--quiet"],
}
"""What is typed besides, so that it takes seconds and no network."""

BUSY, HANGS = 300, 3600
"""Seconds of processor time after which a command is too slow, whatever else runs; and of waiting, after which it
hangs. Waiting alone says little on a machine that is shared."""


def commands() -> list[list[str]]:
    """The commands of the README's two blocks, as they are typed there; the model is the one inside the package."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Use it") : text.index("## How good")]
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", part, re.DOTALL))
    lines = [line.partition("#")[0] for line in blocks.splitlines()]
    typed = [shlex.split(line.replace("facebook/convnext-tiny-224", "tiny")) for line in lines if line.strip()]
    return [line[1:] for line in typed if line[0] == "deft"]


def deft(folder: Path, *args: str) -> str:
    """Run a command as a user does; what it printed."""
    code = "import sys; from deft.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (BUSY, BUSY)),
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_readme_runs_as_written(tmp_path: Path) -> None:
    images, _ = digits()
    for row in range(300):
        place = tmp_path / "photos" / images.classes[images.labels[row]] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image_file(images, row))
    (tmp_path / "new_photos").mkdir()
    for row in range(300, 310):
        (tmp_path / "new_photos" / f"{row}.png").write_bytes(image_file(images, row))
    done = []
    for typed in commands():
        line = " ".join(typed)
        if typed[0] == "review":
            _review(tmp_path / "run", 50)
        else:
            more = next((extra for start, extra in SMALLER.items() if line.startswith(start)), [])
            printed = deft(tmp_path, *typed, *more)
            if line.startswith("detect photos/"):
                assert "deft review run" in printed  # the next command stands there
        done.append(typed[0])
    assert done == ["detect", "review", "detect", "export", "adapt", "predict", "compare"]
    table = pd.read_parquet(tmp_path / "run2" / "labels.parquet")
    assert len(table) == 300
    assert (tmp_path / "run2" / "compare.html").is_file()
    assert any((tmp_path / "cleaned").rglob("*.png"))
    assert (tmp_path / "model" / "config.json").is_file()


def _review(run: Path, count: int) -> None:
    """Decide about the worst suspects by the truth of the digits' own file names, as somebody at the page does."""
    found, images = open_run(run)
    known, truth = digits()
    with Decisions(run) as log:
        desk = Desk(found, log, "Ada")
        for item in desk.page(Query(), after=-1, limit=count).items:
            row = int(Path(item["name"]).stem)
            right = known.classes[int(truth[row])]
            desk.decide("label", [(item["id"], item["revision"])], right)
    assert np.isfinite(found.p_clean).any()
    assert len(images) == 300
