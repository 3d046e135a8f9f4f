"""Mutated files of runs, decisions, patches and tables open whole or are refused with a sentence."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

FUZZ = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "fuzz_files.py"))


def test_broken_files_are_refused_or_read(tmp_path: Path) -> None:
    FUZZ["make"](tmp_path)
    found = [FUZZ["check_round"](tmp_path, np.random.default_rng([7, number])) for number in range(400)]
    refused = {name for name, no in found if no}
    assert refused == set(FUZZ["opens"](tmp_path))
    assert 50 < sum(no for _, no in found) < 390
