"""What every detector is: a frozen value of settings on a model; images in, a verdict on each of them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deft.arguments import checked
from deft.data.identify import identify
from deft.data.images import LabeledImages
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.prompts.close_names import close_names
from deft.runs.detection import Detection, Verdicts
from deft.runs.earlier import SEEN
from deft.runs.judged import new_detection
from deft.runs.provenance import Stopwatch
from deft.runs.reorder import in_order
from deft.settings import to_settings
from deft.shown import short_repr
from deft.training.inputs import Inputs, Reading
from deft.training.precision import resolve_precision
from deft.training.workspace import Workspace


@dataclass(frozen=True, repr=False)
class Detector(ABC):
    """Finds wrong labels; a frozen value, chosen by its type and changed with `dataclasses.replace`.

    A detector is one file, holding a frozen dataclass whose fields are its settings, and one line in `DETECTORS`. It
    implements `_detect`, which receives the images in the order of their content.

    Args:
        encoder: A vision-language model, from `load_encoder`.

    Attributes:
        name: What the command line and saved settings call it.
        citation: The paper that it comes from.

    Example:
        >>> detector = DeFT(load_encoder("tiny"))  # doctest: +SKIP
        >>> detector.detect(load_images("photos/")).suspects()  # doctest: +SKIP
    """

    encoder: DualEncoder

    name: ClassVar[str]
    citation: ClassVar[str]

    def __repr__(self) -> str:
        return short_repr(self)

    @checked
    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Judge the label of every image; the order of the images changes no verdict.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run.

        Returns:
            One verdict per image, in order; images that can't be read carry their reason instead.

        Raises:
            DataError: No image can be read, or the labels can't be judged.
        """
        check_model(self)
        space, watch = workspace or Workspace(), Stopwatch()
        ordered, place = by_content(images, space)
        return in_order(self._detect(ordered, space, watch), place)

    @checked
    def predict(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Return what `detect` does, under the name that scikit-learn gives it.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run.
        """
        return self.detect(images, workspace=workspace)

    @abstractmethod
    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        """Judge images that come in the order of their content.

        Args:
            images: Labelled images, N of them; what is drawn by row is thereby drawn by content.
            space: Where and how to run.
            watch: Started when the detection began.
        """

    def settings(self) -> dict[str, object]:
        """Return everything besides the images that determines the verdicts, as plain JSON values.

        `detector_from_settings` rebuilds the detector from them.
        """
        return {"detector": self.name, "model": self.encoder.name, **to_settings(self, without=("encoder",))}

    def _judged(
        self,
        inputs: Inputs,
        verdicts: Verdicts,
        watch: Stopwatch,
        reading: Reading,
        told: Mapping[str, Any] | None = None,
    ) -> Detection:
        """Return the detection of what was opened.

        Args:
            inputs: What was judged.
            verdicts: What the detector says about each image.
            watch: Started when the detection began.
            reading: How the images were read.
            told: What else its `info` holds.
        """
        return new_detection(
            inputs.images,
            verdicts,
            read_errors=inputs.read_errors,
            duplicate_group=inputs.groups,
            duplicate_kind=inputs.kinds,
            image_notes=inputs.image_notes,
            settings=self.settings(),
            info={**run_info(watch, inputs.images, self.encoder, reading, inputs.name), **(told or {})},
        )


def check_model(detector: Detector) -> None:
    """Refuse a detector whose encoder is no model, such as the name of one, or doesn't see photos in its own way.

    Args:
        detector: Any.

    Raises:
        SettingsError: It is none, and the sentence says how to load one; or it has a preprocessing, which no run keeps.
    """
    given: object = detector.encoder
    if isinstance(given, DualEncoder):
        if given.preprocessing is not None:
            raise SettingsError("Preprocessing is for adapt: give the detector the model as load_encoder loads it.")
        return
    kind, name = type(detector).__name__, given if isinstance(given, str) else "tiny"
    raise SettingsError(f"{kind} needs a loaded model, not {given!r}: {kind}(deft.load_encoder({name!r})).")


def by_content(images: LabeledImages, space: Workspace) -> tuple[LabeledImages, np.ndarray]:
    """Return images in the order of their content, and the place of each image given among them, (N,).

    Args:
        images: The images, in any order.
        space: Keeps notes of which file holds what.
    """
    with space.processes.first():  # the others find its notes
        known = identify(images, space.folder, write=space.processes.writes, progress=space.progress)
    order = known.by_content()
    return known.keep(order), np.argsort(order)


def run_info(
    watch: Stopwatch, images: LabeledImages, encoder: DualEncoder, reading: Reading, seen: str = ""
) -> dict[str, Any]:
    """Return how a detection went, with the class names that mean nearly the same to its model.

    Args:
        watch: Started when the detection began.
        images: What was judged.
        encoder: The model that judged.
        reading: How the images were read; its "auto" is resolved to the number format that this machine took.
        seen: What the features are that a later run may take over (`Inputs.name`).
    """
    alike = [list(pair) for pair in close_names(encoder, images.classes, images.words)]
    precision = str(resolve_precision(reading.precision, encoder.device)).removeprefix("torch.")
    told = {**watch.info(images, str(encoder.device)), "precision": precision, "close_names": alike}
    return {**told, SEEN: seen} if seen else told
