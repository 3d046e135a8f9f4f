"""Small made photos of two classes that differ by brightness, as folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_photos(folder: Path, count: int, names: tuple[str, str] = ("cat", "dog")) -> Path:
    """Return the folder, with so many photos of each class in it."""
    rng = np.random.default_rng(0)
    for name, colour in zip(names, (60, 190), strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(colour - 50, colour + 50, size=(24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
