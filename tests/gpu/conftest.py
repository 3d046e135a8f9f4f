"""What the tests on a GPU share: they run where PyTorch finds one, and are skipped elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deft.data.digits import digits
from deft.data.images import LabeledImages

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="PyTorch finds no CUDA device"))


@pytest.fixture(scope="session")
def images() -> LabeledImages:
    """160 handwritten digits, of which three in ten have a wrong label."""
    found, _ = digits()
    return found.keep(np.arange(len(found)) < 160)


@pytest.fixture
def deft() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs deft's command line, after `first`, a line of Python."""

    def run(*words: object, first: str = "") -> subprocess.CompletedProcess[str]:
        there = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        code = f"import sys; {first or 'pass'}; from deft.cli.app import run; run()"
        typed = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.run(typed, capture_output=True, text=True, env=there, check=False, timeout=200)

    return run
