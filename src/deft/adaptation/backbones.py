"""What can be adapted, in one shape: a backbone of the hub, or the image half of a vision-language model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from deft.adaptation.predictors import Head, HubPredictor, OwnPredictor, Predictor, dual_classifier
from deft.classifiers.base import Classifier
from deft.classifiers.hub import HubClassifier
from deft.encoders.base import DualEncoder
from deft.encoders.hub import hub_id, model_type
from deft.encoders.load import TINY, load_encoder
from deft.encoders.vision import VisionModel, load_vision_model
from deft.errors import SettingsError
from deft.training.inputs import FrozenPart
from deft.tuning import Tuning
from deft.tuning.parts import Entry, entry_of, frozen_part

HYBRID = "deft-hybrid"


class Backbone(ABC):
    """Original weights, and what of them is trained.

    Attributes:
        name: Hub id, folder or "tiny".
        kind: Its model type.
        device: Where it is.
        module: All its weights, for a fingerprint.
        entry: What a batch should hold, given what of it learns.
        frozen: What is computed once per image, given what of it learns.
        remarks: What a user should know of it.
        seen: Its preprocessing, for the record; nothing where photos become pixels in its own way.
    """

    name: str
    kind: str
    device: torch.device
    module: nn.Module
    entry: Entry
    frozen: FrozenPart
    remarks: tuple[str, ...] = ()
    seen: Mapping[str, Any]

    @abstractmethod
    def network(self, seed: int, entry: Entry) -> Classifier:
        """Return a classifier with the original weights and a new head.

        Raises:
            ModelError: The tuning doesn't fit.
        """

    @abstractmethod
    def predictor(self, trained: Classifier, seed: int) -> Predictor:
        """Return the predictor that a trained network becomes.

        Args:
            trained: Made by `network`.
            seed: It was made with.
        """


class HubBackbone(Backbone):
    """A backbone of the hub.

    Args:
        model: Its original weights.
        tuning: What of it is trained.
        classes: Words of the classes.
    """

    def __init__(self, model: VisionModel, tuning: Tuning, classes: Sequence[str]) -> None:
        self.name, self.kind, self.device = model.name, model.kind, model.device
        self.module = model
        self.entry = "pixels" if tuning.changes_images else "features"
        self.frozen = FrozenPart(model.spec, model.device, None if tuning.changes_images else model.features)
        self.remarks = (*model.assumed, *_about_the_head(model, len(classes)))
        self.seen = _seen(model)
        self._model, self._tuning, self._classes = model, tuning, len(classes)

    def network(self, seed: int, entry: Entry) -> Classifier:
        place: Literal["features", "pixels"] = "features" if entry == "features" else "pixels"
        return HubClassifier(self._model, self._tuning, self._classes, entry=place, seed=seed)

    def predictor(self, trained: Classifier, seed: int) -> Predictor:
        fresh = HubClassifier(self._model, self._tuning, self._classes, entry="pixels", seed=seed)
        fresh.load_state_dict(trained.state_dict())
        return HubPredictor(*fresh.merged())


class DualBackbone(Backbone):
    """The image half of a vision-language model.

    Args:
        encoder: Its original weights.
        tuning: What of it is trained.
        classes: Words of the classes.
        head: Kind of the head.
    """

    def __init__(self, encoder: DualEncoder, tuning: Tuning, classes: Sequence[str], head: Head) -> None:
        self.name, self.device = encoder.name, encoder.device
        self.kind = kind_of(encoder)
        self.module = encoder
        self.seen = _seen(encoder)
        self.entry = entry_of(encoder, tuning)
        self.frozen = replace(frozen_part(encoder, tuning), augmented=True)
        if self.entry == "features" and head in ("random", "linear"):
            self.frozen = replace(frozen_part(encoder, tuning, "pooled"), augmented=True)
        self._encoder, self._tuning, self._classes, self._head = encoder, tuning, tuple(classes), head

    def network(self, seed: int, entry: Entry) -> Classifier:
        return dual_classifier(self._encoder, self._tuning, self._classes, self._head, entry=entry, seed=seed)

    def predictor(self, trained: Classifier, seed: int) -> Predictor:
        fresh = self.network(seed, "pixels")
        fresh.load_state_dict(trained.state_dict())
        return OwnPredictor(fresh, self._encoder, self._tuning, self._head, seed, self._classes)


def load_backbone(name: str | Path, head: Head, *, device: str = "auto") -> VisionModel | DualEncoder:
    """Return a model to adapt, from its name.

    Args:
        name: Hub id, folder or "tiny". With a "text" or "prompts" head it is that of a vision-language model; with a
            "random" one, of any image classification backbone of the hub, or "tiny"; with a "linear" one, again of a
            vision-language model.
        head: Kind of the head.
        device: Where it is loaded.

    Raises:
        ModelError: It can't be loaded.
    """
    known = hub_id(str(name))
    hybrid = model_type(known, TINY if known == "tiny" else Path(known)) == HYBRID
    loads = load_encoder if hybrid or head != "random" else load_vision_model
    return loads(name, device=device)


def kind_of(model: VisionModel | DualEncoder) -> str:
    """Return the model type that a backbone's training settings go by; vision-language models share CLIP's."""
    return "clip" if isinstance(model, DualEncoder) else model.kind


def open_backbone(model: VisionModel | DualEncoder, tuning: Tuning, classes: Sequence[str], head: Head) -> Backbone:
    """Return a loaded model in the shape that `adapt` works with.

    Args:
        model: From `load_vision_model` or `load_encoder`.
        tuning: What of it is trained.
        classes: Words of the classes.
        head: Kind of the head.

    Raises:
        SettingsError: The head doesn't fit it.
    """
    if isinstance(model, DualEncoder):
        return DualBackbone(model, tuning, classes, head)
    if head != "random":
        raise SettingsError(f"A {head!r} head needs a vision-language model, from load_encoder; {model.name!r} isn't.")
    return HubBackbone(model, tuning, classes)


def _seen(model: VisionModel | DualEncoder) -> Mapping[str, Any]:
    own = model.preprocessing
    return {} if own is None else {"preprocessing": own.settings()}


def _about_the_head(model: VisionModel, classes: int) -> list[str]:
    own = len(model.classes)
    if own in (0, classes):
        return []
    return [f"The head of {model.name!r}, made for {own} classes, is replaced by a new one for {classes}."]
