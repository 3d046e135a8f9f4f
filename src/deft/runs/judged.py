"""From what a detector says of images to a detection of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from deft.data.images import LabeledImages
from deft.errors import ModelError
from deft.runs.detection import Detection, Verdicts


def new_detection(
    images: LabeledImages,
    verdicts: Verdicts,
    *,
    read_errors: Mapping[int, str],
    settings: Mapping[str, Any],
    info: Mapping[str, Any],
    duplicate_group: np.ndarray | None = None,
    duplicate_kind: np.ndarray | None = None,
    image_notes: Mapping[int, str] | None = None,
) -> Detection:
    """Return a detection of these images; a label that a person has confirmed is clean, whatever the detector says.

    Raises:
        ModelError: The score of an image that could be read is no number.
    """
    _refuse_no_verdict(images, verdicts, read_errors)
    sure = images.trusted & np.isfinite(verdicts.p_clean)
    reading = {"notes": list(images.notes), "skipped": dict(images.skipped)}
    verdicts = replace(
        verdicts,
        p_clean=np.where(sure, np.float32(1), verdicts.p_clean),
        is_clean=verdicts.is_clean | sure,
        duplicate_group=duplicate_group,
        duplicate_kind=duplicate_kind,
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


def _refuse_no_verdict(images: LabeledImages, verdicts: Verdicts, read_errors: Mapping[int, str]) -> None:
    """Refuse verdicts that leave out an image without a reason: nothing may pass for clean that was never judged."""
    lost = [row for row in np.flatnonzero(~np.isfinite(verdicts.p_clean)).tolist() if row not in read_errors]
    if lost:
        shown = ", ".join(images.file_name[row] for row in lost[:3])
        raise ModelError(f"The scores of {len(lost)} images are no numbers, such as {shown}; no verdict can be given.")
