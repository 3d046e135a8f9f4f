"""Label-match: believe a label if the zero-shot prediction agrees with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deft.data.images import LabeledImages
from deft.detectors.base import Detector, run_info
from deft.detectors.collector import Collector, margin
from deft.encoders.base import DualEncoder
from deft.prompts.templates import PHOTO, class_features
from deft.runs.detection import Detection, new_detection
from deft.runs.provenance import Stopwatch
from deft.training.inputs import Reading, open_inputs
from deft.training.precision import Precision
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part


class LabelMatch(Detector):
    """Zero-shot agreement, the simplest baseline of DeFT's Table 1: clean iff argmax_k sim(I, T_k) = y.

    The score is p_y / (p_y + p_rival) with the strongest other class as the rival, so it passes ½ exactly where the
    prediction equals the label. Nothing is trained.

    Args:
        encoder: A vision-language model.
        templates: Sentences whose features are averaged.
        batch_size: Images per step.
        precision: Number format of the activations.

    Example:
        >>> found = LabelMatch(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: DualEncoder,
        *,
        templates: Sequence[str] = PHOTO,
        batch_size: int = 64,
        precision: Precision = "auto",
    ) -> None:
        self.encoder = encoder
        self.templates = tuple(templates)
        self.reading = Reading(batch_size, precision=precision)

    def settings(self) -> dict[str, object]:
        return {"detector": "label-match", "model": self.encoder.name, "templates": list(self.templates)}

    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        space, watch = workspace or Workspace(), Stopwatch()
        with torch.no_grad():
            texts = class_features(self.encoder, images.classes, self.templates)
        collector = Collector(len(images), len(images.classes))
        with open_inputs(frozen_part(self.encoder, Frozen()), images, space, self.reading) as inputs:
            for batch in inputs.batches.ordered():
                logits = self.encoder.logit_scale * batch.inputs @ texts.T  # a frozen model: batches hold its features
                collector.add(batch, margin(logits, batch.labels), logits)
        return new_detection(
            images,
            collector.verdicts(),
            read_errors=inputs.read_errors,
            settings=self.settings(),
            info=run_info(watch, images, self.encoder),
        )
