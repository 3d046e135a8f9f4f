"""A data set of deep pictures is judged like the same one at 8 bits, and a run, a detector and a page see it alike."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.digits import digits
from deft.data.load import load_images
from deft.data.thumbnails import thumbnail
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import TrainedDeFT
from deft.detectors.label_match import LabelMatch
from deft.encoders.load import load_encoder
from deft.runs.folder import open_run
from deft.runs.source import Source
from deft.tuning import Frozen

BITS = {"8": 8, "12": 12, "16": 16}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sixty digits, as tables of PNG files of 8, 12 and 16 bits."""
    images = digits()[0]
    made = {}
    for name, bits in BITS.items():
        folder = tmp_path_factory.mktemp(f"bits-{name}")
        rows = []
        for row in range(60):
            grey = np.asarray(images.reader.read(int(images.rows[row])))
            grey = (grey if grey.ndim == 2 else grey[..., 0]).astype(np.float64)
            values = np.rint(grey * ((2**bits - 1) / 255)).astype(np.uint8 if bits == 8 else np.uint16)
            Image.fromarray(values).save(folder / f"{row}.png")
            rows.append((f"{row}.png", images.classes[images.labels[row]]))
        with open(folder / "labels.csv", "w", newline="") as file:
            csv.writer(file).writerows([("file_name", "label"), *rows])
        made[name] = folder / "labels.csv"
    return made


def test_the_same_photos_give_the_same_verdicts_at_every_depth(tables: dict[str, Path]) -> None:
    found = {name: LabelMatch(load_encoder("tiny")).detect(load_images(path)) for name, path in tables.items()}
    for name in ("12", "16"):
        np.testing.assert_allclose(found[name].p_clean, found["8"].p_clean, atol=0.02)
    assert found["12"].info["pixels"]["ranges"] == {"16 bits": [0.0, 4095.0]}
    assert found["8"].info["pixels"]["ranges"] == {}


def test_run_detector_and_pictures_share_the_range(tables: dict[str, Path], tmp_path: Path) -> None:
    images = load_images(tables["12"])
    trained, found = DeFT(load_encoder("tiny"), tuning=Frozen(), epochs=1).train(images)
    found.save(tmp_path / "run")
    Source(str(tables["12"])).save(tmp_path / "run")
    trained.save_pretrained(tmp_path / "detector")

    _, opened = open_run(tmp_path / "run")
    dimmest = min(range(60), key=lambda row: int(np.asarray(Image.open(tables["12"].parent / f"{row}.png")).max()))
    stored = np.asarray(Image.open(tables["12"].parent / f"{dimmest}.png"))
    shown = np.asarray(Image.open(io.BytesIO(thumbnail(opened, dimmest, side=99, format="PNG"))).convert("L"))
    assert np.abs(shown.astype(int) - np.rint(stored * (255 / 4095))).max() <= 1

    again = TrainedDeFT.from_pretrained(tmp_path / "detector", device="cpu")
    dim = [np.asarray(Image.open(tables["12"].parent / f"{row}.png")) // 3 for row in range(10)]
    plain = [np.rint(one * (255 / 4095)).astype(np.uint8) for one in dim]
    labels = [images.classes[label] for label in images.labels[:10]]
    verdicts = [again.detect(load_images(part, labels=labels)).p_clean for part in (dim, plain)]
    np.testing.assert_allclose(verdicts[0], verdicts[1], atol=0.03)


def test_odd_pictures_are_noted_and_counted(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), dtype=np.uint8)
    pixels[2] = 0
    pixels[5] = 255
    found = LabelMatch(load_encoder("tiny")).detect(load_images(pixels, labels=["cat", "dog"] * 4))
    assert found.image_notes == {2: "blank; nearly black", 5: "blank; nearly white"}
    assert found.summary()["image_notes"] == {"blank": 2, "nearly black": 1, "nearly white": 1}
    found.save(tmp_path)
    assert type(found).load(tmp_path).image_notes == found.image_notes
    assert found.table["image_note"].notna().sum() == 2
