"""A detector is one file and one line: the recipe, followed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

FILE = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from deft.detectors.base import Detector, run_info
from deft.runs.detection import Verdicts
from deft.runs.judged import new_detection
from deft.training.inputs import Reading


@dataclass(frozen=True, kw_only=True)
class Mine(Detector):
    """Doubts every label alike."""

    name: ClassVar[str] = "mine"
    citation: ClassVar[str] = "Nobody: Doubt. 2024."

    doubt: float = 0.2
    epochs: int = 1

    def _detect(self, images, space, watch):
        rows = len(images)
        p_clean = np.full(rows, 1 - self.doubt, np.float32)
        top = images.labels[:, None]
        verdicts = Verdicts(p_clean, p_clean > 0.5, images.labels, top, np.ones((rows, 1), np.float32))
        info = run_info(watch, images, self.encoder, Reading())
        return new_detection(images, verdicts, read_errors={}, settings=self.settings(), info=info)
'''
LINE = """
import sys
from deft.detectors import registry
registry.DETECTORS = {**registry.DETECTORS, "mine": "mine:Mine"}
from deft.cli import main
sys.argv = ["deft", *sys.argv[1:]]
main()
"""


def test_a_detector_is_one_file_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE, encoding="utf-8")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            pixels = rng.integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")

    def deft(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        line = [sys.executable, "-c", LINE, *words]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    assert "mine." in deft("detect", "--help").stdout.split()  # the last of the choices
    mine = ["detect", "photos", "-o", "run", "--model", "tiny", "--device", "cpu", "--method", "mine", "-q"]
    assert "--context belongs to --method deft; mine has no use for it" in deft(*mine, "--context", "3").stderr
    done = deft(*mine, "--epochs", "2", "--set", "doubt=0.75")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["flagged"] == 4
    assert summary["settings"] == {"detector": "mine", "model": "tiny", "doubt": 0.75, "epochs": 2}
