"""`found.save(folder)` is a run, wherever the images came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.runs.detection import Detection, Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.source import Source

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), np.uint8)
LABELS = ["cat", "dog", "cat", "dog", "cat", "dog"]


def judged(images: LabeledImages) -> Detection:
    p_clean = np.where(np.isin(np.arange(len(images)), list(images.read_errors)), np.nan, 0.9).astype(np.float32)
    p_clean[1] = 0.1
    verdicts = Verdicts(
        p_clean,
        np.nan_to_num(p_clean) > 0.5,
        np.where(np.arange(len(images)) == 1, 0, images.labels),
        images.labels[:, None],
        np.full((len(images), 1), 0.9, np.float32),
    )
    return new_detection(
        replace(images, content=images.content_id),
        verdicts,
        read_errors=dict(images.read_errors),
        settings={"detector": "test"},
        info={"pixels": images.pixels.settings()},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, label in enumerate(LABELS):
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[number]).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def kinds(folder: Path) -> dict[str, Any]:
    datasets = pytest.importorskip("datasets")
    files = [str(folder / label / f"{number}.png") for number, label in enumerate(LABELS)]
    rows = {"image": [Image.fromarray(one) for one in PIXELS], "label": LABELS}
    return {
        "array": load_images(PIXELS, labels=LABELS),
        "pictures": load_images([Image.fromarray(one) for one in PIXELS], labels=LABELS),
        "frame": load_images(pd.DataFrame({"image": files, "label": LABELS})),
        "dataset": load_images(datasets.Dataset.from_dict(rows)),
        "relabelled": load_images(str(folder)).relabel([0, 1, 1, 1, 0, 0]),
        "broken": load_images([*[Image.fromarray(one) for one in PIXELS[:5]], b"no picture"], labels=LABELS),
    }


@pytest.mark.parametrize("kind", ["array", "pictures", "frame", "dataset", "relabelled", "broken"])
def test_a_run_of_images_in_memory_keeps_them(kind: str, folder: Path, tmp_path: Path) -> None:
    images = kinds(folder)[kind]
    found = judged(images)
    found.save(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")  # the copies go with it
    again, opened = open_run(tmp_path / "moved")
    assert again.sample_id == found.sample_id
    assert again.file_name == found.file_name
    assert opened.given_names() == images.given_names()
    assert np.array_equal(again.p_clean, found.p_clean, equal_nan=True)
    assert {"run.json", "images.parquet"} <= {path.name for path in (tmp_path / "moved").iterdir()}


def test_a_run_of_a_folder_says_where_it_is(folder: Path, tmp_path: Path) -> None:
    images = load_images(folder)
    assert Source.of(images) == Source(str(folder))
    found = judged(images.keep(np.array([0, 1, 3])))
    found.save(tmp_path / "run")
    assert not (tmp_path / "run" / "images.parquet").exists()
    again, opened = open_run(tmp_path / "run")
    assert opened.file_name == found.file_name
    again.save(tmp_path / "run")  # and once more
    assert open_run(tmp_path / "run")[0].sample_id == found.sample_id


def test_a_table_with_its_columns_is_found_again(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / label / f"{number}.png") for number, label in enumerate(LABELS)]
    pd.DataFrame({"where": files, "what": LABELS}).to_csv(tmp_path / "table.csv", index=False)
    images = load_images(tmp_path / "table.csv", image_column="where", label_column="what")
    judged(images).save(tmp_path / "run")
    assert Source.load(tmp_path / "run").label_column == "what"
    assert open_run(tmp_path / "run")[1].given_names() == LABELS


def test_without_images_nothing_is_claimed(folder: Path, tmp_path: Path) -> None:
    found = replace(judged(load_images(folder)), images=None)
    found.save(tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()
