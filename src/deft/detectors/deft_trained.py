"""A detector that has learned: it judges labels in one pass, and can be saved and loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from deft.arguments import checked
from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule
from deft.data.words import words_for
from deft.detectors.base import Detector
from deft.detectors.deft_evidence import Evidence
from deft.detectors.deft_sample import Features, Scored
from deft.detectors.deft_training import CITATION, DualPromptTraining, Recipe
from deft.detectors.deft_verdicts import judge, observe_transition, prompt_scores
from deft.detectors.deft_weighing import frozen_features, judge_by_evidence, learn_evidence
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import ModelError, SettingsError
from deft.files import fill_folder, parse_json, readable_json
from deft.manifest import check_folder, seal
from deft.progress import Progress
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.runs.detection import Detection, Verdicts
from deft.runs.provenance import Stopwatch
from deft.settings import from_settings, to_settings
from deft.shown import short_repr
from deft.training.checkpoint import encoder_fingerprint
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.processes import looks_at_batches
from deft.training.workspace import Workspace
from deft.transition import NoiseTransition
from deft.tuning import Attachment, Tuning, tuning_from_settings
from deft.tuning.parts import frozen_part, trained_part
from deft.wording import counted

CONFIG = "detector.json"
WEIGHTS = "detector.safetensors"
MOST_AT_ONCE, SCORES_AT_ONCE = 1024, 1_000_000  # images whose kept features are judged at a time; their class scores
MATRIX, NUMBERS = "transition.matrix", "transition.numbers"  # beside the weights


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class TrainedDeFT(Detector):
    """DeFT after its first phase: prompts and tuning that judge labelled images without further training.

    Args:
        encoder: The vision-language model that it was trained on, untouched.
        tuning: How the image tower was adapted.
        classes: The classes that it knows.
        prompts: Length, position and kind of the learned contexts.
        recipe: How it learned; says what counts as clean.
        reading: How inputs are read.
        weights: The learned weights of prompts and tuning.
        words: What its model reads for each class; made from the names if not given.
        transition: How true classes turned into the labels that it learned from, if its verdicts are based on that.
        evidence: How much each expert counts and how labels go wrong, if its verdicts are based on that.
        pixels: How it read the pictures that it learned from; those that it judges are read in the same way.
        ended_after: Epochs after which its training ended, if that was early and has just been (see `Stopping`).

    Example:
        >>> detector = TrainedDeFT.from_pretrained("run/detector")  # doctest: +SKIP
        >>> detector.detect(load_images("new_photos/")).table  # doctest: +SKIP
    """

    name: ClassVar[str] = "deft"
    citation: ClassVar[str] = CITATION

    tuning: Tuning
    classes: tuple[str, ...]
    prompts: PromptSettings
    recipe: Recipe
    reading: Reading
    weights: Mapping[str, Tensor]
    words: tuple[str, ...] = ()
    transition: NoiseTransition | None = None
    evidence: Evidence | None = None
    pixels: PixelRule = field(default_factory=PixelRule)
    ended_after: int | None = None

    def __repr__(self) -> str:
        known = counted(len(self.classes), "class", "classes")
        return f"TrainedDeFT({self.encoder!r}, {known}, tuning={short_repr(self.tuning)})"

    def settings(self) -> dict[str, object]:
        learned = ("encoder", "classes", "weights", "transition", "evidence", "pixels", "ended_after")
        return {
            "detector": self.name,
            "model": self.encoder.name,
            "trained": True,
            **to_settings(self, without=learned),
        }

    @checked
    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Judge the labels of images, old or new, in one pass without training.

        Args:
            images: Labelled images, N of them; classes are matched by name.
            workspace: Where and how to run.

        Returns:
            One verdict per image, in order.

        Raises:
            DataError: Images have a class that the detector doesn't know.
        """
        check_images(images, "detect")
        known = images.in_classes(self.classes, self._words)
        known = replace(known, pixels=known.pixels.with_ranges(self.pixels.ranges))
        return super().detect(known, workspace=workspace)

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        part = frozen_part(self.encoder, self.tuning, self.recipe.features)
        with (
            open_inputs(part, images, space, self.reading, least_classes=1) as inputs,
            frozen_features(self.encoder, self.tuning, self.recipe, inputs, space, self.reading) as frozen,
        ):
            verdicts = self.judge(inputs, frozen, len(images), space.progress)
        return self._judged(inputs, verdicts, watch, self.reading, self.told(verdicts, inputs.trusted))

    def judge(self, inputs: Inputs, frozen: Features | None, rows: int, progress: Progress) -> Verdicts:
        """Return verdicts on open inputs: evaluation mode, no augmentation, final weights.

        Args:
            inputs: The images, opened.
            frozen: Features of the untouched encoder, if verdicts are based on evidence.
            rows: How many rows the verdicts have, N.
            progress: Told how far the work has come.

        Returns:
            What the detector says about each row, (N,).
        """
        with self._method(inputs) as method:
            if self.evidence is None or frozen is None:
                return judge(method, inputs, rows, self.recipe, self.reading, progress, self.transition)
            scored = self._scored(method, inputs, inputs.batches.rows, progress, "Judging labels")
            return judge_by_evidence(self.evidence, frozen, scored, inputs, float(self.encoder.logit_scale))

    def observed(
        self, images: LabeledImages, inputs: Inputs, frozen: Features | None, progress: Progress
    ) -> TrainedDeFT:
        """Return the same detector with its transition or evidence estimated from open inputs.

        Args:
            images: What was opened.
            inputs: The images, opened.
            frozen: Features of the untouched encoder, if verdicts are based on evidence.
            progress: Told how far the work has come.
        """
        if self.recipe.verdict == "negative":
            return self
        with self._method(inputs) as method:
            if frozen is None:
                return replace(self, transition=observe_transition(method, inputs, self.reading, progress))

            def score(rows: np.ndarray) -> Scored:
                return self._scored(method, inputs, rows, progress, "Weighing labels")

            return replace(self, evidence=learn_evidence(method, images, inputs, frozen, score))

    def _scored(
        self, method: DualPromptTraining, inputs: Inputs, rows: np.ndarray, progress: Progress, task: str
    ) -> Scored:
        """Batches of some rows with their s⁺ and s⁻; larger ones if they hold kept features."""
        size = inputs.batches.batch_size
        if not self.tuning.changes_images:
            size = max(min(MOST_AT_ONCE, SCORES_AT_ONCE // len(self.classes)), 1)
        return prompt_scores(method, inputs.batches.subset(rows, batch_size=size), self.reading, progress, task)

    def told(self, verdicts: Verdicts, trusted: np.ndarray) -> dict[str, Any]:
        """Return what its verdicts were based on, for a detection's `info`.

        Args:
            verdicts: What `judge` gave, (N,).
            trusted: Whether a person confirmed each label, bool (N,).
        """
        evidence = {} if self.evidence is None else {"evidence": self.evidence.told(verdicts, trusted)}
        return evidence if self.ended_after is None else evidence | {"epochs_trained": self.ended_after}

    @contextlib.contextmanager
    def _method(self, inputs: Inputs) -> Iterator[DualPromptTraining]:
        with self.tuning.attach(self.encoder, seed=self.reading.seed) as attachment:
            method = build_method(
                self.encoder,
                self.tuning,
                inputs,
                self._words,
                self.prompts,
                attachment,
                self.recipe,
                seed=self.reading.seed,
            )
            method.load_state_dict(dict(self.weights))
            yield method

    @checked
    def save_pretrained(self, folder: str | Path) -> None:
        """Write settings (JSON) and learned weights (safetensors) into a folder; the encoder is kept by name.

        Args:
            folder: Created if need be.
        """
        folder = Path(folder)
        config = {
            "model_type": "deft-detector",
            **self.settings(),
            "classes": list(self.classes),
            "pixels": self.pixels.settings(),
            "words": list(self._words),
            "encoder_fingerprint": encoder_fingerprint(self.encoder),
        }
        with fill_folder(folder, CONFIG, seal) as part:
            save_file(_tensors(self.weights, self.transition, self.evidence), part / WEIGHTS)
            (part / CONFIG).write_text(readable_json(config), encoding="utf-8")

    @classmethod
    @checked
    def from_pretrained(
        cls, folder: str | Path, *, encoder: DualEncoder | None = None, device: str = "auto"
    ) -> TrainedDeFT:
        """Read what `save_pretrained` wrote.

        Args:
            folder: Holds a saved detector.
            encoder: The model that it was trained on; None loads it by its name.
            device: Where to load it, as in `load_encoder`.

        Returns:
            The detector.

        Raises:
            ModelError: The folder holds no detector, or the encoder is another one.
        """
        folder = Path(folder)
        config, weights = _read(folder)
        encoder = encoder or load_encoder(config["model"], device=device)
        if encoder_fingerprint(encoder) != config["encoder_fingerprint"]:
            raise ModelError(
                f"The detector in {folder} was trained on {config['model']!r}, whose weights differ from the "
                f"encoder given ({encoder.name!r})."
            )
        classes = tuple(config["classes"])
        try:
            recipe = from_settings(Recipe, config["recipe"])
            return cls(
                encoder,
                tuning=tuning_from_settings(config["tuning"]),
                classes=classes,
                prompts=from_settings(PromptSettings, config["prompts"]),
                recipe=recipe,
                reading=from_settings(Reading, config["reading"]),
                words=tuple(config.get("words", ())),
                transition=_take_transition(weights, recipe, len(classes)),
                evidence=Evidence.from_tensors(weights, len(classes)) if recipe.verdict == "evidence" else None,
                weights=weights,
                pixels=PixelRule.from_settings(config.get("pixels")),
            )
        except SettingsError as error:
            raise ModelError(f"The detector in {folder} can't be used. {error}") from error

    @property
    def _words(self) -> tuple[str, ...]:
        return self.words or words_for(self.classes)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the settings and the tensors of a saved detector."""
    check_folder(folder, ModelError)
    try:
        config = parse_json((folder / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder} holds no saved detector ({CONFIG} and {WEIGHTS}).") from error
    needed = ("model", "encoder_fingerprint", "classes", "recipe", "tuning", "prompts", "reading")
    if not isinstance(config, dict) or not all(name in config for name in needed):
        raise ModelError(f"{folder / CONFIG} doesn't hold the settings of a detector.")
    return config, weights


def _tensors(
    weights: Mapping[str, Tensor], transition: NoiseTransition | None, evidence: Evidence | None
) -> dict[str, Tensor]:
    """Return all that a saved detector holds in tensors."""
    tensors = {name: value.contiguous() for name, value in weights.items()}
    if transition is not None:
        tensors[MATRIX] = transition.matrix.contiguous()
        tensors[NUMBERS] = torch.tensor([transition.inverse_temperature, transition.threshold], dtype=torch.float64)
    if evidence is not None:
        tensors.update(evidence.tensors())
    return tensors


def _take_transition(tensors: dict[str, Tensor], recipe: Recipe, classes: int) -> NoiseTransition | None:
    """Take the noise transition out of what was read from a file, where the recipe has one."""
    matrix, numbers = tensors.pop(MATRIX, None), tensors.pop(NUMBERS, None)
    if recipe.verdict != "posterior":
        return None
    if matrix is None or numbers is None or matrix.shape != (classes, classes) or len(numbers) != 2:
        raise ModelError(f"{WEIGHTS} holds no noise transition of {classes} classes, by which its verdicts go.")
    return NoiseTransition(matrix, *numbers.tolist())


def build_method(
    encoder: DualEncoder,
    tuning: Tuning,
    inputs: Inputs,
    classes: tuple[str, ...],
    prompts: PromptSettings,
    attachment: Attachment,
    recipe: Recipe,
    *,
    seed: int,
) -> DualPromptTraining:
    """Return phase 1 with freshly drawn prompts.

    Args:
        encoder: The model that `attachment` is on.
        tuning: What of it is trained.
        inputs: What it will read.
        classes: Words of the classes.
        prompts: Length, position and kind of the contexts.
        attachment: The tuning's weights.
        recipe: How it learns.
        seed: Draws the contexts.
    """
    dual = DualPrompts(encoder.text, classes, prompts, seed=seed)
    encode = trained_part(encoder, tuning, recipe.features)
    if tuning.changes_images and not looks_at_batches(encoder):  # else it costs next to nothing, or needs the whole
        encode = inputs.batches.processes.sharing(encode)
    return DualPromptTraining(encoder, encode, dual, attachment, recipe, inputs.trusted)
