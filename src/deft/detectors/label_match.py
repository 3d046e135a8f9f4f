"""Label-match: believe a label if the zero-shot prediction agrees with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from deft.arguments import checked
from deft.data.images import LabeledImages
from deft.detectors.base import Detector, by_content, check_model
from deft.detectors.collector import Collector, margin
from deft.prompts.templates import PHOTO, check_templates, class_features
from deft.runs.detection import Detection
from deft.runs.provenance import Stopwatch
from deft.runs.reorder import in_order
from deft.training.inputs import Reading, open_inputs
from deft.training.precision import Precision
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class LabelMatch(Detector):
    """Zero-shot agreement, the simplest baseline of DeFT's Table 1: clean iff argmax_k sim(I, T_k) = y.

    The score is p_y / (p_y + p_rival) with the strongest other class as the rival, so it passes ½ exactly where the
    prediction equals the label. Nothing is trained.

    Args:
        encoder: A vision-language model.
        templates: Sentences with `{}` for the class name, whose features are averaged.
        batch_size: Images per step.
        precision: Number format of the activations.

    Raises:
        SettingsError: A setting is out of its bounds, or a template has no place for the class name.

    Example:
        >>> found = LabelMatch(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "label-match"
    citation: ClassVar[str] = (
        "A. Radford et al.: Learning Transferable Visual Models From Natural Language Supervision. ICML 2021."
    )

    templates: tuple[str, ...] = PHOTO
    batch_size: int = 64
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check_templates(self.templates)
        _ = self.reading  # which refuses what is out of its bounds

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.batch_size, precision=self.precision)

    def detect_part(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Return verdicts on a part of much data: all of its images may have one label, or show the same picture.

        Every image is compared with the texts of all classes, and with no other image, so each verdict is what
        `detect` says of the whole.

        Args:
            images: Labelled images, with the classes of all data.
            workspace: Where and how to run.

        Returns:
            One verdict per image, in order.

        Raises:
            UnreadableError: No image can be read.
        """
        check_model(self)
        space, watch = workspace or Workspace(), Stopwatch()
        ordered, place = by_content(images, space)
        return in_order(self._look(ordered, space, watch, least_classes=1), place)

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        return self._look(images, space, watch, least_classes=2)

    def _look(self, images: LabeledImages, space: Workspace, watch: Stopwatch, *, least_classes: int) -> Detection:
        with torch.no_grad():
            texts = class_features(self.encoder, images.words, self.templates)
        collector = Collector(len(images), len(images.classes))
        part = frozen_part(self.encoder, Frozen())
        with open_inputs(part, images, space, self.reading, least_classes=least_classes) as inputs:
            for batch in inputs.batches.ordered():
                logits = self.encoder.logit_scale * batch.inputs @ texts.T  # a frozen model: batches hold its features
                collector.add(batch, margin(logits, batch.labels), logits)
                collector.keep(batch, batch.inputs, logits)
        return self._judged(inputs, collector.verdicts(), watch, self.reading)
