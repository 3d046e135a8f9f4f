"""A run of six images with its verdicts, and its reviews."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.runs.decisions import Decision
from deft.runs.detection import Detection, Verdicts
from deft.runs.vocabulary import Status

Decide = Callable[..., Decision]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three cats and three dogs, each of another colour; `dog/2.png` can't be read."""
    root = tmp_path / "photos"
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (6, 5), (40 * index, 100 * number, 10)).save(root / name / f"{index}.png")
    (root / "dog" / "2.png").write_bytes(b"no image at all")
    return root


@pytest.fixture
def images(photos: Path) -> LabeledImages:
    """With their names as ids, which read better in a test than names of contents."""
    images = load_images(photos)
    return replace(images, own_id=images.file_name)


def judge(images: LabeledImages, wrong: dict[int, int], *, unreadable: tuple[int, ...] = ()) -> Detection:
    """Verdicts that flag the rows of `wrong`, and suggest its classes."""
    count, classes = len(images), len(images.classes)
    p_clean = np.full(count, 0.9, np.float32)
    predicted = images.labels.copy()
    for row, suggestion in wrong.items():
        p_clean[row], predicted[row] = 0.1 + row / 100, suggestion
    lost = [row for row in range(count) if row in unreadable or images.labels[row] < 0]
    p_clean[lost], predicted[lost] = np.nan, -1
    topk = np.stack([predicted, (predicted + 1) % classes], axis=1)
    topk[lost] = -1
    probs = np.tile(np.array([0.8, 0.2], np.float32), (count, 1))
    probs[lost] = np.nan
    return Detection(
        sample_id=images.sample_id,
        file_name=images.file_name,
        split=images.split,
        classes=images.classes,
        given=images.labels,
        verdicts=Verdicts(p_clean, p_clean > 0.5, predicted, topk, probs),
        read_errors={**images.read_errors, **dict.fromkeys(unreadable, "damaged")},
        settings={"detector": "test"},
        info={},
    )


@pytest.fixture
def found(images: LabeledImages) -> Detection:
    """cat/1 and dog/0 are flagged, the one as a dog, the other as a cat; dog/2 can't be read."""
    return judge(images, {1: 1, 3: 0}, unreadable=(5,))


@pytest.fixture
def reviewed() -> Decide:
    """One decision by Ada, as an entry of the mapping that `read_decisions` gives."""

    def make(sample: str, status: Status, given: str = "cat", new: str | None = None) -> dict[str, Decision]:
        label = given if status == "kept" else new
        return {sample: Decision(sample, status, given, label, "Ada", "2026-11-24T09:00:00.000+00:00")}

    return make  # type: ignore[return-value]
