"""A run and a model to break, made once with small random models; every test gets copies of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.two_classes import write_photos

from deft.runs.decisions import Decision, Decisions, now

from .tools import FAST, deft, one_sentence


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight photos."""
    return write_photos(tmp_path_factory.mktemp("reliability") / "photos", 8)


@pytest.fixture(scope="session")
def made_run(photos: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a detector and five decisions."""
    folder = tmp_path_factory.mktemp("made") / "run"
    one_sentence(deft("detect", photos, "-o", folder, "--model", clip_folder, *FAST), 0)
    with Decisions(folder) as log:
        for number in range(5):
            log.record(Decision(f"cat/{number}.png", "kept", "cat", "cat", "Ada", now()), expected=0)
    return folder


@pytest.fixture(scope="session")
def made_model(photos: Path, backbone_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained classifier."""
    folder = tmp_path_factory.mktemp("made") / "model"
    words = ("--backbone", backbone_folder("resnet"), "--epochs", "1", "--device", "cpu")
    one_sentence(deft("adapt", photos, "-o", folder, *words), 0)
    return folder


@pytest.fixture
def run(made_run: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(made_run, tmp_path / "run"))


@pytest.fixture
def model(made_model: Path, tmp_path: Path) -> Path:
    """A copy of the model."""
    return Path(shutil.copytree(made_model, tmp_path / "model"))
