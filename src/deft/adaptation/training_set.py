"""What becomes of labels that were found wrong: dropped, replaced, or given little weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.runs.detection import Detection
from deft.runs.given import check_found
from deft.runs.outcomes import settle
from deft.runs.vocabulary import CHANGE, Fix, TrainingFix, check_word

FIXES: Mapping[TrainingFix, Fix] = {
    "drop": "drop",
    "relabel": "relabel",
    "keep": "keep",
    "weigh": "keep",
    "mask": "drop",
}
"""What becomes of a label that was found wrong, by what becomes of it in training."""


@dataclass(frozen=True)
class TrainingSet:
    """Images to learn from, and what was done to their labels.

    Args:
        images: The images, N of them, with the labels to learn.
        weights: How much each label counts, (N,); None if all count the same.
        counts: Images given, kept, dropped and so on, by name, for the model card.
        fix: What was done with labels found wrong; None if nothing was looked for.
        detection: Settings of the detection that found them.

    Example:
        >>> fix_labels(found, images, "relabel").counts["relabelled"]  # doctest: +SKIP
        123
    """

    images: LabeledImages
    weights: np.ndarray | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    fix: TrainingFix | None = None
    detection: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        weighted = "" if self.weights is None else ", weighted"
        return f"TrainingSet({self.images!r}, fix={self.fix!r}{weighted})"

    def by_content(self) -> TrainingSet:
        """Return the same in the order of content, so that the order of rows changes nothing that is drawn."""
        order = self.images.by_content()
        weights = None if self.weights is None else self.weights[order]
        return replace(self, images=self.images.keep(order), weights=weights)

    def is_what(self, training_record: Mapping[str, Any]) -> bool:
        """Return whether a model has learned from these images with these labels, by the record of its training.

        Args:
            training_record: Of an `AdaptedModel`.
        """
        info, data = training_record.get("info") or {}, training_record.get("data") or {}
        counts, images = data.get("counts") or {}, self.by_content().images
        return (
            (info.get("data_fingerprint"), info.get("label_fingerprint"))
            == (images.fingerprint, images.label_fingerprint)
            and {name: counts.get(name) for name in self.counts} == self.counts
            and (data.get("fix"), data.get("detection")) == (self.fix, dict(self.detection))
        )


def fix_labels(found: Detection, images: LabeledImages, how: TrainingFix = "drop") -> TrainingSet:
    """Decide what becomes of the labels that a detection found wrong.

    Args:
        found: The detection.
        images: What it judged, row by row; labels that a person has confirmed (`trusted`) are believed, whatever the
            detection says.
        how: "drop" leaves those images out, as the paper does; "relabel" gives them the suggested class, and drops
            those whose given class is still the likeliest; "keep" changes nothing; "weigh" lets every image count by
            P(clean) of its label (`WeightedCE`); "mask" leaves them in their batches, whose loss is then the mean over
            the others, as in the authors' code: as many steps as without any wrong label.

    Returns:
        A training set, which `adapt` takes in place of images.

    Raises:
        DataError: The images aren't those of the detection.
        SettingsError: `how` is none of these.

    Example:
        >>> model = deft.adapt("microsoft/resnet-50", fix_labels(found, images, "relabel"))  # doctest: +SKIP
    """
    check_found(found, "fix_labels(found, images)")
    check_images(images, "fix_labels(found, images)")
    check_word("how", how, TrainingFix)
    if images.sample_id != found.sample_id or images.classes != found.classes:
        raise DataError(
            f"The detection is about {len(found)} images in {len(found.classes)} classes, but other images were "
            f"given: {len(images)} in {len(images.classes)}. open_run gives the images of a run."
        )
    outcomes = settle(found, images, FIXES[how])
    usable = found.judged | images.trusted
    usable[list(images.read_errors)] = False
    done = Counter(CHANGE[one.action] for one, use in zip(outcomes, usable.tolist(), strict=True) if use)
    flagged = found.is_label_issue & ~images.trusted & usable
    counts = {"given": len(found), "flagged": int(flagged.sum()), "unusable": int((~usable).sum())}
    if images.trusted.any():
        counts["confirmed by people"] = int(images.trusted.sum())
    counts["kept"] = done["kept"] + done["relabelled"]
    counts |= {name: done[name] for name in ("relabelled", "dropped") if done[name]}
    settings = dict(found.settings)
    if how == "weigh":
        weights = np.where(images.trusted, np.float32(1), found.p_clean)
        return TrainingSet(images, weights, counts, how, settings)
    place = {name: number for number, name in enumerate(images.classes)} | {None: -1}
    labels = np.array([place[one.label] for one in outcomes], np.int64)
    stays = usable & np.array([one.action != "drop" for one in outcomes])
    if how == "mask":
        return TrainingSet(images, stays.astype(np.float32), counts, how, settings)
    return TrainingSet(images.relabel(labels).keep(stays), None, counts, how, settings)


def all_of(images: LabeledImages) -> TrainingSet:
    """Return all images with the labels they have."""
    unreadable = len(images.read_errors)
    return TrainingSet(images, None, {"given": len(images), "kept": len(images) - unreadable, "unusable": unreadable})
