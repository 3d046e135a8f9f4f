"""What detectors share that look once at all images through the untouched encoder.

Shapes: n images that can be read, P width of the pooled features, D of the joint space, K classes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.images import LabeledImages
from deft.detectors.base import Detector
from deft.detectors.collector import Collector
from deft.evidence.folds import content_keys
from deft.prompts.templates import PHOTO, class_features
from deft.runs.detection import Detection
from deft.runs.provenance import Stopwatch
from deft.training.batches import Batch
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.precision import Precision
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

AT_ONCE = 1024  # images compared with all others at a time


@dataclass(frozen=True)
class Seen:
    """What the untouched encoder sees.

    Args:
        pooled: Features from before the joint space, float32, (n, P).
        unit: Unit features in the joint space, float32, (n, D).
        texts: Unit features of "a photo of a ...", float32, (K, D).
        labels: Given labels, (n,).
        keys: Numbers that depend on the content of an image alone, uint64 (n,).
        scale: Inverse temperature of the encoder.
        inputs: The images, opened; batches hold pooled features.
    """

    pooled: Tensor
    unit: Tensor
    texts: Tensor
    labels: Tensor
    keys: np.ndarray
    scale: float
    inputs: Inputs

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return len(self.texts)

    def zero_shot(self) -> Tensor:
        """Return zero-shot probabilities, (n, K)."""
        return (self.scale * self.unit @ self.texts.T).softmax(dim=1)

    def nearest(self, count: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield some images at a time with their nearest other images: which, their cosines and places, (b, count).

        Args:
            count: How many; where there are fewer other images, all of them.
        """
        count = min(count, len(self.unit) - 1)
        for start in range(0, len(self.unit), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            similar = self.unit[some] @ self.unit.T
            rows = torch.arange(len(similar))
            similar[rows, rows + start] = -2  # an image is no neighbour of itself
            cosines, places = similar.topk(count, dim=1)
            yield some, cosines, places


@dataclass(frozen=True)
class Judged:
    """What a detector says of what it saw.

    Args:
        log_odds: That the given label is right, (n,); a label passes above zero.
        scores: Of every class, (n, K), before a softmax.
        info: What else there is to know of how it went.
    """

    log_odds: Tensor
    scores: Tensor
    info: dict[str, object]


class FeatureDetector(Detector):
    """A detector that compares images with each other, by features of the untouched encoder."""

    @property
    @abstractmethod
    def reading(self) -> Reading:
        """How images are read."""

    @abstractmethod
    def judge(self, seen: Seen, space: Workspace) -> Judged:
        """Return what it says of every image.

        Args:
            seen: What the encoder sees in them, in the order of their content.
            space: Where and how to run.
        """

    def look(self, images: LabeledImages, inputs: Inputs) -> Seen:
        """Return what the encoder sees in opened images.

        Args:
            images: What was opened, N of them.
            inputs: The images, opened; batches hold pooled features.
        """
        rows = inputs.batches.rows
        pooled = torch.cat([batch.inputs.cpu().float() for batch in inputs.batches.ordered()])
        with torch.no_grad():
            device = self.encoder.device
            parts = [self.encoder.project(part.to(device)).cpu().float() for part in pooled.split(1024)]
            texts = class_features(self.encoder, images.words, PHOTO).cpu().float()
        return Seen(
            pooled,
            F.normalize(torch.cat(parts), dim=-1),
            texts,
            torch.from_numpy(inputs.batches.labels[rows]),
            content_keys([images.content_id[row] for row in rows]),
            float(self.encoder.logit_scale),
            inputs,
        )

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        collector = Collector(len(images), len(images.classes))
        with open_inputs(frozen_part(self.encoder, Frozen(), "pooled"), images, space, self.reading) as inputs:
            seen = self.look(images, inputs)
            judged = self.judge(seen, space)
            index = torch.from_numpy(inputs.batches.rows)
            batch = Batch(seen.pooled, seen.labels, index)
            collector.add(batch, judged.log_odds, judged.scores)
            collector.keep(batch, seen.pooled, judged.scores)
        return self._judged(inputs, collector.verdicts(), watch, self.reading, judged.info)


@dataclass(frozen=True, kw_only=True, repr=False)
class OnePassDetector(FeatureDetector):
    """A detector by features that trains nothing: images are read once, as its own settings say.

    Args:
        encoder: A vision-language model.
        batch_size: Images per step.
        seed: Draws what there is to draw; every detector takes one.
        precision: Number format of the activations.

    Raises:
        SettingsError: A setting is out of its bounds.
    """

    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _ = self.reading  # which refuses what is out of its bounds

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.batch_size, self.seed, self.precision)


def log_odds_of(flagged: Tensor, quality: Tensor) -> Tensor:
    """Return log-odds for a rule whose flags don't follow its quality scores, (n,).

    What is flagged comes below ½ and what is kept above it, each in the order of quality.

    Args:
        flagged: Whether a label is called wrong, bool (n,).
        quality: How good a label looks, 0..1, (n,).
    """
    half = quality.double().clamp(1e-6, 1 - 1e-6) / 2
    return torch.logit(torch.where(flagged, half, 0.5 + half)).float()
