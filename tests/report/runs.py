"""Detections of any size, made of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader
from deft.runs.detection import Detection, Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.judged import new_detection

Made = tuple[LabeledImages, Detection]


def make(count: int = 40, classes: Sequence[str] = ("cat", "dog", "bird"), **changes: Any) -> Made:
    """Images and verdicts; every fourth label is judged wrong, and every eighth is."""
    rng = np.random.default_rng(0)
    rows, size = np.arange(count), len(classes)
    given = rows % size
    flagged = rows % 4 == 0
    predicted = np.where(flagged, (given + 1) % size, given)
    p_clean = np.where(flagged, 0.1 + 0.3 * rows / count, 0.6 + 0.3 * rows / count).astype(np.float32)
    names = changes.pop("file_name", tuple(f"photos/{row:04d}.png" for row in rows))
    images = LabeledImages(
        reader=ArrayReader(rng.integers(0, 256, (count, 24, 32, 3), np.uint8)),
        rows=rows,
        labels=given,
        classes=tuple(classes),
        own_id=tuple(f"id{row}" for row in rows),
        file_name=names,
        clean_labels=np.where(rows % 8 == 0, (given + 1) % size, given) if changes.pop("truth", True) else None,
    )
    errors: dict[int, str] = changes.pop("read_errors", {})
    bad = np.isin(rows, list(errors))
    verdicts = Verdicts(
        p_clean=np.where(bad, np.nan, changes.pop("p_clean", p_clean)).astype(np.float32),
        is_clean=~changes.pop("flagged", flagged) & ~bad,
        predicted=np.where(bad, -1, changes.pop("predicted", predicted)),
        topk=np.stack([predicted, (predicted + 1) % size], axis=1),
        topk_probs=np.tile(np.array([0.7, 0.2], np.float32), (count, 1)),
        prompt_margin=np.where(flagged, -1, 1).astype(np.float32),
        features=DiskRows.of((np.eye(size)[predicted] + 0.1 * rng.normal(size=(count, size))).astype(np.float16)),
    )
    settings = {"detector": "test", "tuning": {"type": "VPT", "length": 20}, "seed": 3}
    info = {"wall_seconds": 61.0, "peak_memory_mb": 1234, "versions": {"torch": "2"}, **changes.pop("info", {})}
    assert not changes
    return images, new_detection(images, verdicts, read_errors=errors, settings=settings, info=info)
