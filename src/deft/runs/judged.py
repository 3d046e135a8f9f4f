"""From what a detector says of images to a detection of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from deft.data.images import LabeledImages
from deft.runs.detection import Detection, Verdicts


def new_detection(
    images: LabeledImages,
    verdicts: Verdicts,
    *,
    read_errors: Mapping[int, str],
    settings: Mapping[str, Any],
    info: Mapping[str, Any],
    duplicate_group: np.ndarray | None = None,
    image_notes: Mapping[int, str] | None = None,
) -> Detection:
    """Return a detection of these images; a label that a person has confirmed is clean, whatever the detector says."""
    sure = images.trusted & np.isfinite(verdicts.p_clean)
    reading = {"notes": list(images.notes), "skipped": dict(images.skipped)}
    verdicts = replace(
        verdicts,
        p_clean=np.where(sure, np.float32(1), verdicts.p_clean),
        is_clean=verdicts.is_clean | sure,
        duplicate_group=duplicate_group,
    )
    return Detection(
        sample_id=images.sample_id,
        file_name=images.file_name,
        split=images.split,
        classes=images.classes,
        given=images.labels,
        verdicts=verdicts,
        read_errors=read_errors,
        settings=settings,
        info={**info, "reading": reading},
        clean_labels=images.clean_labels,
        image_notes=image_notes or {},
        words=images.words,
        images=images,
        content=images.content,
    )
