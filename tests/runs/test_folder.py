"""A run folder finds its images again, row by row, or says why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.sources import DEMO
from deft.errors import DataError
from deft.runs.detection import Detection, Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.source import Source


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8), (number * 50, 0, 0)).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def judged(images: LabeledImages) -> Detection:
    count = len(images)
    verdicts = Verdicts(
        p_clean=np.full(count, 0.9, np.float32),
        is_clean=np.ones(count, bool),
        predicted=images.labels,
        topk=images.labels[:, None],
        topk_probs=np.ones((count, 1), np.float32),
    )
    return new_detection(images, verdicts, read_errors={}, settings={}, info={})


def test_the_images_of_a_run_come_back_row_by_row(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    some = load_images("photos").keep([4, 0, 3])
    found = judged(some)
    found.save("run")
    Source("photos").save("run")
    monkeypatch.chdir(photos)  # opened from elsewhere
    again, images = open_run(tmp_path / "run")
    assert images.sample_id == some.sample_id == again.sample_id
    assert images.labels.tolist() == some.labels.tolist() == [1, 0, 1]
    assert images.reader.read(int(images.rows[0])) == (photos / "dog" / "1.png").read_bytes()


def test_the_labels_are_those_that_were_judged(photos: Path, tmp_path: Path) -> None:
    images = load_images(photos)
    turned = images.relabel(1 - images.labels)
    Source(str(photos)).save(tmp_path / "run")
    judged(turned).save(tmp_path / "run")
    assert open_run(tmp_path / "run")[1].labels.tolist() == turned.labels.tolist()


def test_moved_images_are_found_where_they_are_said_to_be(photos: Path, tmp_path: Path) -> None:
    Source(str(photos)).save(tmp_path / "run")
    judged(load_images(photos)).save(tmp_path / "run")
    shutil.move(photos, tmp_path / "moved")
    with pytest.raises(DataError, match="photos"):
        open_run(tmp_path / "run")
    assert len(open_run(tmp_path / "run", data=str(tmp_path / "moved"))[1]) == 6


def test_a_missing_image_is_named(photos: Path, tmp_path: Path) -> None:
    Source(str(photos)).save(tmp_path / "run")
    judged(load_images(photos)).save(tmp_path / "run")
    (photos / "cat" / "1.png").unlink()
    with pytest.raises(DataError, match=r"no longer has 1 of the 6 images of this run, such as cat/1\.png"):
        open_run(tmp_path / "run")


def test_the_demo_has_no_path_but_images(tmp_path: Path) -> None:
    Source(DEMO).save(tmp_path)
    assert len(Source.load(tmp_path).open()) == 1797


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": {}}', '{"source": 3}'])
def test_a_strange_run_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json can't be read"):
        Source.load(tmp_path)


def test_a_folder_without_a_run_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no run\.json"):
        Source.load(tmp_path)
