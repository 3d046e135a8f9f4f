"""Photos, and a detector that has learned from them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deft

NAMES = ("cat", "dog", "bird")


def picture(rng: np.random.Generator, colour: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(colour - 40, colour + 40, (24, 24, 3)).astype(np.uint8)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of nine photos, two of them broken."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("score") / "photos"
    for name, colour in zip(NAMES, (50, 120, 200), strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(9):
            (folder / name / f"{number}.png").write_bytes(picture(rng, colour))
    for name in ("cat/3.png", "bird/0.png"):
        (folder / name).write_bytes(f"broken {name}".encode())
    return folder


@pytest.fixture(scope="session")
def detector(photos: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    encoder = deft.load_encoder(str(clip_folder), device="cpu")
    trained, _ = deft.DeFT(encoder, epochs=1).train(deft.load_images(photos))
    trained.save_pretrained(folder)
    return folder
