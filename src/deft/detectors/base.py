"""What every detector is: settings in the constructor, images in, a verdict on each of them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from deft.data.images import LabeledImages
from deft.encoders.base import DualEncoder
from deft.prompts.close_names import close_names
from deft.runs.detection import Detection
from deft.runs.provenance import Stopwatch
from deft.training.workspace import Workspace


class Detector(ABC):
    """Finds wrong labels."""

    @abstractmethod
    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Judge the label of every image.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run.

        Returns:
            One verdict per image, in order; images that can't be read carry their reason instead.

        Raises:
            DataError: No image can be read, or the labels can't be judged.
        """

    @abstractmethod
    def settings(self) -> dict[str, object]:
        """All that determines the verdicts besides the images, as plain JSON values."""


def run_info(watch: Stopwatch, images: LabeledImages, encoder: DualEncoder) -> dict[str, Any]:
    """Return how a detection went, with the class names that mean nearly the same to its model.

    Args:
        watch: Started when the detection began.
        images: What was judged.
        encoder: The model that judged.
    """
    alike = [list(pair) for pair in close_names(encoder, images.classes)]
    return {**watch.info(images, str(encoder.device)), "close_names": alike}
