"""Trained classifiers as they answer and as they are stored: a folder of the hub's form, or one of deft's own.

Shapes: B batch, S side of the images, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.classifiers.linear import LinearClassifier, TextHeadClassifier
from deft.classifiers.prompted import PromptClassifier
from deft.data.image_spec import ImageSpec
from deft.data.preprocessing import Preprocessing
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.encoders.vision import VisionModel, load_vision_model
from deft.errors import ModelError, SettingsError
from deft.files import parse_json, readable_json
from deft.prompts.templates import class_features
from deft.settings import from_settings
from deft.training.checkpoint import encoder_fingerprint
from deft.tuning import Tuning, tuning_from_settings
from deft.tuning.parts import Entry

Head = Literal["random", "linear", "text", "prompts"]
MODEL_TYPE = "deft-classifier"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


class Predictor(ABC):
    """A trained classifier, ready to answer."""

    @property
    @abstractmethod
    def spec(self) -> ImageSpec:
        """The pixels it wants."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it runs."""

    @property
    @abstractmethod
    def runs_in_pipelines(self) -> bool:
        """Whether transformers' pipelines load what `save` writes."""

    @abstractmethod
    def scores(self, pixels: Tensor) -> Tensor:
        """Return class scores before the softmax, (B, K), of normalised pixels (B, 3, S, S)."""

    @abstractmethod
    def save(self, folder: Path, classes: Sequence[str]) -> None:
        """Write it into a folder.

        Args:
            folder: Created if need be.
            classes: Names of the K classes.
        """


class HubPredictor(Predictor):
    """A backbone of the hub with all that was learned in its own weights, and its head.

    Args:
        backbone: The backbone, in evaluation mode.
        head: The final linear layer.
    """

    def __init__(self, backbone: VisionModel, head: nn.Linear) -> None:
        self._backbone = backbone
        self._head = head.requires_grad_(False).to(backbone.device)

    @property
    def spec(self) -> ImageSpec:
        return self._backbone.spec

    @property
    def device(self) -> torch.device:
        return self._backbone.device

    @property
    def runs_in_pipelines(self) -> bool:
        return True

    def scores(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self._head(self._backbone.features(pixels))
        return scores

    def save(self, folder: Path, classes: Sequence[str]) -> None:
        self._backbone.save(folder, self._head, classes)


class OwnPredictor(Predictor):
    """A classifier on the image half of a vision-language model, stored beside the model's name.

    Args:
        classifier: Reads pixels.
        encoder: The model with its original weights.
        tuning: What of it was trained.
        head: Kind of the head.
        seed: Drew the head and the tuning's weights.
        words: What the model reads for each class.
    """

    def __init__(
        self,
        classifier: Classifier,
        encoder: DualEncoder,
        tuning: Tuning,
        head: Head,
        seed: int,
        words: Sequence[str],
    ) -> None:
        self._classifier = classifier.eval().requires_grad_(False)
        self._encoder = encoder
        self._settings = {"tuning": tuning.settings(), "head": head, "seed": seed, "words": list(words)}
        if encoder.preprocessing is not None:
            self._settings["preprocessing"] = encoder.preprocessing.settings()

    @property
    def spec(self) -> ImageSpec:
        return self._encoder.spec

    @property
    def device(self) -> torch.device:
        return self._encoder.device

    @property
    def runs_in_pipelines(self) -> bool:
        return False

    def scores(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self._classifier(pixels)
        return scores

    def save(self, folder: Path, classes: Sequence[str]) -> None:
        name = self._encoder.name
        config = {
            "model_type": MODEL_TYPE,
            # A folder is found again from anywhere.
            "backbone": str(Path(name).resolve()) if Path(name).is_dir() else name,
            "encoder_fingerprint": encoder_fingerprint(self._encoder),
            **self._settings,
            "id2label": dict(enumerate(classes)),
            "label2id": {name: k for k, name in enumerate(classes)},
        }
        state = {name: value.contiguous() for name, value in self._classifier.state_dict().items()}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / WEIGHTS)
        (folder / CONFIG).write_text(readable_json(config), encoding="utf-8")


def dual_classifier(
    encoder: DualEncoder, tuning: Tuning, classes: Sequence[str], head: Head, *, entry: Entry, seed: int
) -> Classifier:
    """Return a classifier on a vision-language model's image half.

    Args:
        encoder: The original weights.
        tuning: What of the image tower is trained.
        classes: Words of the classes.
        head: "random" and "linear" are a linear head drawn at random; "text" is one that starts as features of
            sentences about the classes; "prompts" compares with learned prompts (the textual classifier).
        entry: What a batch holds.
        seed: Draws head or prompts, and the tuning's weights.

    Raises:
        SettingsError: There is no such head.
    """
    match head:
        case "random" | "linear":
            return LinearClassifier(encoder, tuning, len(classes), entry=entry, seed=seed)
        case "text":
            return TextHeadClassifier(encoder, tuning, class_features(encoder, classes), entry=entry, seed=seed)
        case "prompts":
            return PromptClassifier(encoder, tuning, classes, entry=entry, seed=seed)
    raise SettingsError(f"Unknown head {head!r}. Known: {', '.join(get_args(Head))}.")


def load_predictor(folder: Path, *, device: str = "auto") -> tuple[Predictor, tuple[str, ...]]:
    """Read what `Predictor.save` wrote, or any image classifier of the hub.

    Args:
        folder: The model.
        device: Where to load it.

    Returns:
        The classifier and the names of its classes.

    Raises:
        ModelError: The folder holds no classifier.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"{str(folder)!r} holds no {CONFIG}, so it is no model; `deft adapt -o` writes one.")
    try:
        config: Mapping[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no names with values")
    except ValueError as error:
        raise ModelError(f"{path} is not a model's configuration: {error}.") from error
    if config.get("model_type") == MODEL_TYPE:
        return _own(folder, config, device)
    backbone = load_vision_model(folder, device=device)
    if backbone.head is None:
        raise ModelError(f"The model in {str(folder)!r} has no head yet; give it one with backbone= of `deft adapt`.")
    return HubPredictor(backbone, backbone.head), backbone.classes


def _own(folder: Path, config: Mapping[str, Any], device: str) -> tuple[Predictor, tuple[str, ...]]:
    try:
        weights = load_file(folder / WEIGHTS)
        classes = tuple(config["id2label"].values())
        words = tuple(config.get("words", classes))
        tuning, head, seed = tuning_from_settings(config["tuning"]), config["head"], int(config["seed"])
        name, expected = config["backbone"], config["encoder_fingerprint"]
        seen = from_settings(Preprocessing, config["preprocessing"]) if "preprocessing" in config else None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"The model in {str(folder)!r} is incomplete: {error}") from error
    encoder = load_encoder(name, device=device)
    if encoder_fingerprint(encoder) != expected:
        raise ModelError(f"The model in {str(folder)!r} was trained on {name!r}, whose weights have changed since.")
    encoder = encoder if seen is None else seen.on(encoder)
    classifier = dual_classifier(encoder, tuning, words, head, entry="pixels", seed=seed)
    try:
        classifier.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"The weights in {str(folder)!r} don't fit its {CONFIG}: {error}") from error
    return OwnPredictor(classifier, encoder, tuning, head, seed, words), classes
