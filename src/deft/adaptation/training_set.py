"""What becomes of labels that were found wrong: dropped, replaced, or given little weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from deft.data.images import LabeledImages
from deft.errors import DataError, SettingsError
from deft.runs.detection import Detection

Fix = Literal["drop", "relabel", "weigh"]


@dataclass(frozen=True)
class TrainingSet:
    """Images to learn from, and what was done to their labels before.

    Args:
        images: The images, N of them, with the labels to learn.
        weights: How much each label counts, (N,); None if all count alike.
        counts: Images given, kept, dropped and so on, by name, for the model card.
        fix: What was done with labels found wrong; None if nothing was looked for.
        detection: Settings of the detection that found them.
    """

    images: LabeledImages
    weights: np.ndarray | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    fix: Fix | None = None
    detection: Mapping[str, Any] = field(default_factory=dict)


def fix_labels(found: Detection, images: LabeledImages, how: Fix = "drop") -> TrainingSet:
    """Decide what becomes of the labels that a detection found wrong.

    Args:
        found: The detection.
        images: What it judged, row by row.
            Labels that a person has confirmed (`trusted`) are believed, whatever the detection says.
        how: "drop" leaves those images out, as the paper does; "relabel" gives them the suggested class; "weigh" lets
            every image count by P(clean) of its label (`WeightedCE`).

    Returns:
        What `adapt` takes in the place of images.

    Raises:
        DataError: The images aren't those of the detection.
        SettingsError: There is no such way.

    Example:
        >>> model = deft.adapt("microsoft/resnet-50", use(found, images, "relabel"))  # doctest: +SKIP
    """
    if how not in get_args(Fix):
        raise SettingsError(f"Unknown use {how!r} of labels found wrong. Known: {', '.join(get_args(Fix))}.")
    if images.sample_id != found.sample_id or images.classes != found.classes:
        raise DataError(
            f"The detection is about {len(found)} images in {len(found.classes)} classes, but other images were "
            f"given: {len(images)} in {len(images.classes)}. open_run gives the images of a run."
        )
    wrong = found.is_label_issue & ~images.trusted
    usable = found.judged | images.trusted
    usable[list(images.read_errors)] = False
    settings, flagged = dict(found.settings), int((wrong & usable).sum())
    counts = {"given": len(found), "flagged": flagged, "unusable": int((~usable).sum())}
    if images.trusted.any():
        counts["confirmed by people"] = int(images.trusted.sum())
    match how:
        case "drop":
            kept = images.keep(usable & ~wrong)
            return TrainingSet(kept, None, {**counts, "kept": len(kept), "dropped": flagged}, how, settings)
        case "relabel":
            # Flagged, but nothing else is suggested: there is no label to give.
            lost = wrong & (found.predicted == images.labels)
            new = images.relabel(np.where(wrong, found.predicted, images.labels)).keep(usable & ~lost)
            dropped = int((lost & usable).sum())
            counts |= {"kept": len(new), "relabelled": flagged - dropped, "dropped": dropped}
            return TrainingSet(new, None, counts, how, settings)
        case _:
            weights = np.where(images.trusted, np.float32(1), found.p_clean)
            return TrainingSet(images, weights, {**counts, "kept": int(usable.sum())}, how, settings)


def all_of(images: LabeledImages) -> TrainingSet:
    """All images with the labels they have."""
    unreadable = len(images.read_errors)
    return TrainingSet(images, None, {"given": len(images), "kept": len(images) - unreadable, "unusable": unreadable})
