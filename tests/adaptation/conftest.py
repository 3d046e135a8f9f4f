"""Sixteen small photos of two classes that differ in colour, and a detection that found three wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.runs.detection import Detection, Verdicts
from deft.runs.judged import new_detection

CLASSES = ("cat", "dog")
WRONG = (1, 6, 11)


@pytest.fixture
def photos() -> Callable[..., LabeledImages]:
    """Gives photos: dark cats and bright dogs, `count` of them, in turn."""

    def make(count: int = 16, classes: tuple[str, ...] = CLASSES, seed: int = 0) -> LabeledImages:
        rng = np.random.default_rng(seed)
        shades = np.linspace(40, 215, len(classes)).astype(int)
        kinds = np.arange(count) % len(classes)
        pixels = np.stack([rng.integers(shades[k] - 30, shades[k] + 30, size=(20, 20, 3)) for k in kinds])
        names = [classes[k] for k in kinds]
        return load_images(pixels.astype(np.uint8), labels=names, classes=list(classes))

    return make


@pytest.fixture
def noisy(photos: Callable[..., LabeledImages]) -> tuple[LabeledImages, Detection]:
    """Photos with three labels turned round, and a detection that found just these."""
    clean = photos()
    labels = clean.labels.copy()
    labels[list(WRONG)] = 1 - labels[list(WRONG)]
    images = replace(clean.relabel(labels), clean_labels=clean.labels)
    wrong = np.isin(np.arange(len(images)), WRONG)
    verdicts = Verdicts(
        p_clean=np.where(wrong, 0.1, 0.9).astype(np.float32),
        is_clean=~wrong,
        predicted=clean.labels,
        topk=np.stack([clean.labels, 1 - clean.labels], axis=1),
        topk_probs=np.tile(np.array([0.9, 0.1], np.float32), (len(images), 1)),
    )
    found = new_detection(images, verdicts, read_errors={}, settings={"detector": "deft", "model": "tiny"}, info={})
    return images, found
