"""`deft corrupt` writes a table that `load_images` reads, with the truth beside."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from deft.cli.app import app
from deft.data.load import load_images

runner = CliRunner()
CLASSES = ("cat", "dog", "owl")


def _png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), (level, 255 - level, 40)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(10):
            (folder / name / f"{number}.png").write_bytes(_png(number * 20))
    return folder


def _changed(out: Path) -> np.ndarray:
    images = load_images(str(out), clean_column="true_label")
    assert images.classes == CLASSES
    assert not images.read_errors
    assert images.clean_labels is not None
    np.testing.assert_array_equal(np.bincount(images.clean_labels), [10, 10, 10])
    for row in images.rows.tolist():
        assert images.reader.read(row)
    return np.asarray(images.labels != images.clean_labels)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("noise", ["symmetric", "pair-flip", "instance-dependent"])
def test_a_folder_becomes_a_table_with_the_asked_noise(photos: Path, tmp_path: Path, ending: str, noise: str) -> None:
    out = tmp_path / f"noisy.{ending}"
    before = sorted(photos.rglob("*"))
    result = runner.invoke(app, ["corrupt", str(photos), "-o", str(out), "--noise", noise, "--rate", "0.4", "-q"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("12 of 30 labels made wrong (40.00%)")
    assert _changed(out).sum() == 12
    assert sorted(photos.rglob("*")) == before


def test_asymmetric_noise_by_class_names(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "noisy.csv"
    arguments = ["corrupt", str(photos), "-o", str(out), "--noise", "asymmetric", "--rate", "0.5", "-q"]
    assert runner.invoke(app, [*arguments, "--map", "cat=dog, dog=cat"]).exit_code == 0
    assert _changed(out).sum() == 10


def test_images_inside_a_table_are_copied_into_a_table(tmp_path: Path) -> None:
    source, out = tmp_path / "clean.parquet", tmp_path / "noisy.parquet"
    images = [{"bytes": _png(number), "path": None} for number in range(30)]
    pq.write_table(pa.table({"image": images, "label": list(CLASSES) * 10}), source)
    result = runner.invoke(app, ["corrupt", str(source), "-o", str(out), "--rate", "0.2", "-q"])
    assert result.exit_code == 0, result.stderr
    assert _changed(out).sum() == 6


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("noisy.txt", [], ".csv or .parquet"),
        ("photos/noisy.csv", [], "inside the data"),
        ("there.csv", [], "there already"),
        ("noisy.csv", ["--noise", "asymmetric"], "needs --map"),
        ("noisy.csv", ["--map", "cat=dog"], "no other noise takes it"),
        ("noisy.csv", ["--noise", "asymmetric", "--map", "cat=elk"], "'elk'"),
        ("noisy.csv", ["--noise", "asymmetric", "--map", "cat"], "pairs"),
        ("noisy.csv", ["--noise", "pair-flip", "--include-self"], "--include-self"),
    ],
)
def test_what_makes_no_sense_is_refused(photos: Path, tmp_path: Path, name: str, options: list[str], says: str) -> None:
    (tmp_path / "there.csv").write_text("mine")
    result = runner.invoke(app, ["corrupt", str(photos), "-o", str(tmp_path / name), "-q", *options])
    assert result.exit_code == 2
    assert says in result.stderr
    assert (tmp_path / "there.csv").read_text() == "mine"
