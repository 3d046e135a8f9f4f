"""What judges the parts of much data: a detector that has learned, or label-match, which need not learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from deft.data.images import LabeledImages
from deft.detectors.deft_trained import TrainedDeFT
from deft.detectors.label_match import LabelMatch
from deft.encoders.load import load_encoder
from deft.errors import DataError, ModelError
from deft.manifest import checksum
from deft.runs.detection import Detection
from deft.training.checkpoint import encoder_fingerprint
from deft.training.workspace import Workspace


class Loaded(ABC):
    """A judge in the memory of a worker."""

    @abstractmethod
    def known(self, images: LabeledImages) -> LabeledImages:
        """Return images with the classes of all data.

        Args:
            images: Some of it; classes are matched by name.

        Raises:
            DataError: They have a class that isn't among those.
        """

    @abstractmethod
    def judge(self, images: LabeledImages, space: Workspace) -> Detection:
        """Judge some images, of which all may have the same label.

        Args:
            images: What `known` gave.
            space: Where and how to run.
        """

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Return what determines its verdicts, as `Detector.settings` does."""


class Judge(ABC):
    """What judges the parts: which it is, before a worker has loaded it."""

    @abstractmethod
    def of_data(self, classes: tuple[str, ...], words: tuple[str, ...]) -> Judge:
        """Return it for data of some classes.

        Args:
            classes: Those of all data, (K,).
            words: What a model reads for each, (K,).

        Raises:
            DataError: It can't judge such data.
        """

    @abstractmethod
    def identity(self) -> str:
        """Return what tells it from every other one.

        Raises:
            ModelError: It can't be used.
        """

    @abstractmethod
    def load(self, device: str) -> Loaded:
        """Load it.

        Args:
            device: Where the model runs.
        """


@final
@dataclass(frozen=True)
class Kept(Judge):
    """A detector that `deft detect` left in its run.

    Args:
        folder: Where it is.
    """

    folder: str

    def of_data(self, classes: tuple[str, ...], words: tuple[str, ...]) -> Kept:
        return self  # it knows its own

    def identity(self) -> str:
        weights = Path(self.folder) / "detector.safetensors"
        if not weights.is_file():
            raise ModelError(
                f"{self.folder} holds no {weights.name}, so it is no detector that deft detect left in its run."
            )
        return checksum(weights)

    def load(self, device: str) -> Loaded:
        return _Trained(TrainedDeFT.from_pretrained(self.folder, device=device))


@final
@dataclass(frozen=True)
class LabelMatching(Judge):
    """Label-match on some model; it compares every image with all classes of the data.

    Args:
        model: Name of the model, as in `load_encoder`.
        classes: Those of all data, (K,).
        words: What a model reads for each, (K,).
    """

    model: str
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def of_data(self, classes: tuple[str, ...], words: tuple[str, ...]) -> LabelMatching:
        if len(classes) < 2:
            only = f"one class ({classes[0]!r})" if classes else "no labels"
            raise DataError(f"The data has {only}; label-match needs at least two classes.")
        return replace(self, classes=classes, words=words)

    def identity(self) -> str:
        return f"{LabelMatch.name}, {encoder_fingerprint(load_encoder(self.model, device='cpu'))}"

    def load(self, device: str) -> Loaded:
        return _Untrained(LabelMatch(load_encoder(self.model, device=device)), self.classes, self.words)


@dataclass(frozen=True)
class _Trained(Loaded):
    detector: TrainedDeFT

    def known(self, images: LabeledImages) -> LabeledImages:
        return images.in_classes(self.detector.classes)

    def judge(self, images: LabeledImages, space: Workspace) -> Detection:
        return self.detector.detect(images, workspace=space)

    def settings(self) -> Mapping[str, Any]:
        return self.detector.settings()


@dataclass(frozen=True)
class _Untrained(Loaded):
    detector: LabelMatch
    classes: tuple[str, ...]
    words: tuple[str, ...]

    def known(self, images: LabeledImages) -> LabeledImages:
        return images.in_classes(self.classes, self.words)

    def judge(self, images: LabeledImages, space: Workspace) -> Detection:
        return self.detector.detect_part(images, workspace=space)

    def settings(self) -> Mapping[str, Any]:
        return self.detector.settings()
