"""Label-match: believe a label if the zero-shot prediction agrees with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from deft.data.images import LabeledImages
from deft.detectors.base import Detector
from deft.detectors.collector import Collector, margin
from deft.prompts.templates import PHOTO, check_templates, class_features
from deft.runs.detection import Detection
from deft.runs.provenance import Stopwatch
from deft.training.inputs import Reading, open_inputs
from deft.training.precision import Precision
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part


@dataclass(frozen=True, kw_only=True)
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

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        with torch.no_grad():
            texts = class_features(self.encoder, images.words, self.templates)
        collector = Collector(len(images), len(images.classes))
        with open_inputs(frozen_part(self.encoder, Frozen()), images, space, self.reading) as inputs:
            for batch in inputs.batches.ordered():
                logits = self.encoder.logit_scale * batch.inputs @ texts.T  # a frozen model: batches hold its features
                collector.add(batch, margin(logits, batch.labels), logits)
                collector.keep(batch, batch.inputs, logits)
        return self._judged(inputs, collector.verdicts(), watch, self.reading)
