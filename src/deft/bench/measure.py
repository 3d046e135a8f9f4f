"""What an experiment measures: how well labels are judged, or how well a classifier does that learned from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deft.adaptation.adapt import adapt
from deft.adaptation.backbones import kind_of, load_backbone
from deft.adaptation.presets import preset
from deft.adaptation.training_set import TrainingSet, all_of, fix_labels
from deft.adaptation.validation import Validation
from deft.bench.datasets.base import Splits
from deft.bench.experiment import Experiment
from deft.bench.preprocessing import prepare
from deft.data.images import LabeledImages
from deft.detectors.base import Detector
from deft.detectors.deft import DeFT
from deft.detectors.on_features import FeatureDetector
from deft.detectors.registry import detector_class
from deft.encoders.base import DualEncoder
from deft.encoders.vision import VisionModel
from deft.errors import SettingsError
from deft.methods.base import Method
from deft.methods.registry import method_class
from deft.metrics import accuracy, clean_selection, expected_calibration_error, score_detection
from deft.runs.detection import Detection
from deft.settings import changed, setting_keys
from deft.training.inputs import Reading, open_inputs
from deft.training.workspace import Workspace
from deft.tuning import Frozen, tuning_from_settings
from deft.tuning.parts import Features, frozen_part

Metrics = dict[str, float]
TRUE_RATE = "true"
"""In the place of a noise rate: the method is told the true one."""


@dataclass(frozen=True)
class Measurement:
    """What came out of an experiment.

    Args:
        metrics: Numbers by name; NaN where one is undefined.
        detector: All settings of the detector, if there is one.
        learner: The record of the training, if there is one.
    """

    metrics: Metrics
    detector: Mapping[str, Any] | None = None
    learner: Mapping[str, Any] | None = None


def true_rate(images: LabeledImages) -> float:
    """Return the share of wrong labels among those whose truth is known; NaN where none is."""
    if images.clean_labels is None:
        return float("nan")
    known = images.clean_labels >= 0
    return float((images.labels != images.clean_labels)[known].mean())


def build_detector(experiment: Experiment, encoder: DualEncoder, images: LabeledImages) -> Detector:
    """Return the detector of an experiment.

    Args:
        experiment: Names it, its preset and its settings.
        encoder: The model that it judges with.
        images: Say how many labels are wrong, to detectors that are told.

    Raises:
        SettingsError: There is no such detector, preset or setting.
    """
    own = experiment.settings["detector"]
    kind = detector_class(own["name"])
    make = getattr(kind, own["preset"], None) if "preset" in own else kind
    if make is None:
        raise SettingsError(f"The detector {own['name']} has no preset {own['preset']!r}.")
    detector: Detector = make(encoder)
    if "tuning" in own:
        detector = changed(detector, {"tuning": tuning_from_settings(own["tuning"])})
    known, changes = setting_keys(detector), dict(own.get("settings", {}))
    changes |= {name: new for name, new in experiment.settings.get("where_known", {}).items() if name in known}
    if "noise_rate" in own:
        changes["noise_rate"] = _rate(own["noise_rate"], images)
    if "seed" in known:
        changes["seed"] = experiment.seed
    return changed(detector, _typed(changes))


def build_method(experiment: Experiment) -> Method:
    """Return the method by which an experiment's classifier learns.

    Raises:
        SettingsError: There is no such method or setting.
    """
    own = experiment.settings["learner"]
    return changed(method_class(own["method"])(), _typed(own.get("settings", {})))


def warm(detector: Detector, images: LabeledImages, space: Workspace) -> None:
    """Decode the images, and compute what the untouched encoder sees in them, so that no detector's time has it.

    Args:
        detector: Says how images are read.
        images: In the order of their content.
        space: Where what was computed is kept.
    """
    tuning = getattr(detector, "tuning", Frozen())
    reading: Reading = getattr(detector, "reading", Reading())
    features: Features = "pooled" if isinstance(detector, FeatureDetector) else "joint"
    if isinstance(detector, DeFT):
        features = detector.recipe.features
    with open_inputs(frozen_part(detector.encoder, tuning, features), images, space, reading):
        pass


def judged(found: Detection, images: LabeledImages) -> Metrics:
    """Return how well labels were judged: as the paper counts it, and as everyone else does.

    Args:
        found: The verdicts.
        images: What was judged, with the truth.

    Returns:
        Precision and recall of the kept labels (`clean_...`), of the flagged ones, and what `score_detection` says;
        the expected calibration error of P(clean), and the share of right labels that are flagged.
    """
    truth = images.clean_labels
    assert truth is not None
    scores = score_detection(found.is_label_issue, found.p_clean, images.labels, truth, found.predicted)
    precision, recall = clean_selection(found.is_clean, images.labels, truth)
    usable = found.judged & (truth >= 0)
    right = (images.labels == truth)[usable]
    flags = found.is_label_issue[usable]
    return {
        "clean_precision": precision,
        "clean_recall": recall,
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "auroc": scores.auroc,
        "average_precision": scores.average_precision,
        "estimated_rate": scores.estimated_noise_rate,
        "suggestion_right": scores.suggestion_accuracy,
        "calibration_error": expected_calibration_error(found.p_clean[usable], right),
        "false_alarms": float(flags[right].mean()) if right.any() else float("nan"),
    }


def detection(experiment: Experiment, detector: Detector, images: LabeledImages, space: Workspace) -> Measurement:
    """Return how well an experiment's detector judges labels.

    Args:
        experiment: What is run.
        detector: As it says.
        images: With the truth.
        space: Where and how to run.
    """
    found = detector.detect(images, workspace=space)
    return Measurement(judged(found, images), detector.settings())


def learning(
    experiment: Experiment,
    detector: Detector | None,
    backbone: VisionModel | DualEncoder | None,
    splits: Splits,
    space: Workspace,
) -> Measurement:
    """Return how well a classifier does that learned from an experiment's labels, on true ones.

    Without a learner it is the detector's own prompts that name the test images.

    Args:
        experiment: What is run.
        detector: Chooses the labels to learn from; None takes all of them.
        backbone: What learns.
        splits: Training and test images.
        space: Where and how to run.

    Raises:
        SettingsError: There is neither a detector nor a learner.
    """
    metrics, kept = {}, all_of(splits.train)
    if "learner" not in experiment.settings:
        if not isinstance(detector, DeFT):
            raise SettingsError(f"{experiment.row} needs a learner, or DeFT, whose prompts can name images.")
        trained, found = detector.train(splits.train, workspace=space)
        share = accuracy(trained.detect(splits.test).predicted, splits.test.labels)
        return Measurement({**_chosen(found, splits.train), "best": share, "last": share}, detector.settings())
    own = experiment.settings["learner"]
    if detector is not None:
        found = detector.detect(splits.train, workspace=space)
        metrics, kept = _chosen(found, splits.train), fix_labels(found, splits.train, own.get("fix", "mask"))
    assert backbone is not None
    record = _learn(experiment, backbone, kept, splits, space)
    metrics |= {name: float(record["validation"][name]) for name in ("best", "last")}
    return Measurement(metrics, None if detector is None else detector.settings(), record)


def open_backbone(experiment: Experiment, encoder: DualEncoder, device: str) -> VisionModel | DualEncoder | None:
    """Return what an experiment's classifier starts from; None where it has no learner.

    Args:
        experiment: Its column may name a backbone; otherwise it is the image half of the encoder.
        encoder: The detector's model.
        device: Where another backbone is loaded.

    Raises:
        ModelError: It can't be loaded.
    """
    if "learner" not in experiment.settings:
        return None
    name = experiment.column.backbone
    if name in (None, encoder.name):
        return encoder
    backbone = load_backbone(str(name), "random", device=device)
    prepare(backbone, experiment.settings)
    return backbone


def _learn(
    experiment: Experiment,
    backbone: VisionModel | DualEncoder,
    kept: TrainingSet,
    splits: Splits,
    space: Workspace,
) -> dict[str, Any]:
    own = experiment.settings["learner"]
    tuning = tuning_from_settings(own["tuning"] if isinstance(backbone, DualEncoder) else {"type": "Full"})
    rates = preset(kind_of(backbone), tuning)
    if isinstance(backbone, DualEncoder):
        rates = changed(rates, _typed(own.get("optimization", {})))
    elif "schedule" in own.get("optimization", {}):
        rates = changed(rates, {"schedule": own["optimization"]["schedule"]})
    method = build_method(experiment)
    trained = adapt(
        backbone,
        kept,
        method=None if kept.weights is not None else method,
        tuning=tuning,
        head=own["head"] if isinstance(backbone, DualEncoder) else "random",
        epochs=own["epochs"],
        optimization=rates,
        validation=Validation(splits.test),
        noise_rate=_rate(own["noise_rate"], splits.train) if "noise_rate" in own else None,
        batch_size=own["batch_size"],
        seed=experiment.seed,
        workspace=space,
    )
    return dict(trained.training_record)


def _chosen(found: Detection, images: LabeledImages) -> Metrics:
    """How well a detector chose, where the truth is known."""
    return {} if images.clean_labels is None else judged(found, images)


def _rate(stated: float | str, images: LabeledImages) -> float:
    return true_rate(images) if stated == TRUE_RATE else float(stated)


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a file as frozen values hold them: lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
