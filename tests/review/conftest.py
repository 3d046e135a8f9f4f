"""A run over handwritten digits with made-up verdicts: some labels are wrong, and most of those are flagged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.decisions import Decisions
from deft.detectors.detection import Detection, Verdicts, new_detection
from deft.detectors.saved_run import DEMO, Source
from deft.review.desk import Desk

COUNT = 200


def made_up(images: LabeledImages, *, unread: tuple[int, ...] = (), seed: int = 0) -> Detection:
    """Verdicts that know the truth, with some doubt: every row gets its own score.

    Args:
        images: Digits with `clean_labels`.
        unread: Rows that could not be judged.
        seed: Draws the scores.
    """
    assert images.clean_labels is not None
    rng = np.random.default_rng(seed)
    count, classes = len(images), len(images.classes)
    right = images.labels == images.clean_labels
    p_clean = np.where(right, rng.uniform(0.55, 1, count), rng.uniform(0, 0.45, count)).astype(np.float32)
    others = (images.clean_labels[:, None] + np.arange(1, 5)) % classes
    topk = np.concatenate([images.clean_labels[:, None], others], axis=1)
    probs = np.tile(np.array([0.7, 0.15, 0.08, 0.04, 0.01], np.float32), (count, 1))
    for row in unread:
        p_clean[row], topk[row], probs[row] = np.nan, -1, np.nan
    verdicts = Verdicts(p_clean, np.nan_to_num(p_clean) > 0.5, topk[:, 0].copy(), topk, probs)
    errors = dict.fromkeys(unread, "broken.png: not an image")
    return new_detection(images, verdicts, read_errors=errors, settings={"detector": "made up"}, info={})


@pytest.fixture(scope="session")
def images() -> LabeledImages:
    return digits()[0].keep(np.arange(COUNT))


@pytest.fixture(scope="session")
def found(images: LabeledImages) -> Detection:
    return made_up(images, unread=(7,))


@pytest.fixture
def run(found: Detection, tmp_path: Path) -> Path:
    """A run folder, as `deft detect` leaves it."""
    folder = tmp_path / "run"
    found.save(folder)
    Source(DEMO).save(folder)
    return folder


@pytest.fixture
def log(run: Path) -> Iterator[Decisions]:
    with Decisions(run) as opened:
        yield opened


@pytest.fixture
def desk(found: Detection, log: Decisions) -> Desk:
    return Desk(found, log, "Ada")
