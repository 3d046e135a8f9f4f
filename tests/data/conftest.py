"""Small pictures, and something that remembers what was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image
from tests.heard import Heard

from deft.data.image_spec import ImageSpec

T = TypeVar("T")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def spec() -> ImageSpec:
    return ImageSpec(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def paint() -> Callable[..., Path]:
    """Write a picture of one colour, with the folders that lead to it."""

    def write(path: Path, colour: str = "red", size: tuple[int, int] = (12, 10)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture
def animals(tmp_path: Path, paint: Callable[..., Path]) -> Path:
    """A folder with two class folders of three images each."""
    root = tmp_path / "animals"
    for name in ("cat", "dog"):
        for number in range(3):
            paint(root / name / f"{number}.png", ["red", "green", "blue"][number])
    return root
