"""`adapt`: the second phase, a classifier from any backbone on the labels that are believed."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deft.adaptation.backbones import Backbone, kind_of, load_backbone, open_backbone
from deft.adaptation.model import AdaptedModel
from deft.adaptation.predictors import Head
from deft.adaptation.presets import preset
from deft.adaptation.samples import Samples, open_samples
from deft.adaptation.training_set import TrainingSet, all_of
from deft.adaptation.validation import Validation, Watched
from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.encoders.base import DualEncoder
from deft.encoders.vision import VisionModel
from deft.errors import SettingsError
from deft.methods.base import Method, TrainingContext
from deft.methods.cross_entropy import CE
from deft.methods.registry import method_of
from deft.methods.weighted import WeightedCE
from deft.progress import Progress
from deft.runs.provenance import Stopwatch
from deft.stages import of_training
from deft.training.batches import Batches
from deft.training.finite import NotFinite, check_numbers
from deft.training.inputs import Reading
from deft.training.loop import MENDS, Training, fit
from deft.training.optimization import Optimization
from deft.training.processes import Processes, looks_at_batches
from deft.training.workspace import Workspace
from deft.tuning import Full, Tuning, tuning_of


@checked
def adapt(
    backbone: str | Path | VisionModel | DualEncoder,
    images: LabeledImages | TrainingSet,
    *,
    method: Method | str | None = None,
    tuning: Tuning | str | None = None,
    head: Head = "random",
    epochs: int = 10,
    optimization: Optimization | None = None,
    validation: Validation | float | LabeledImages | None = None,
    noise_rate: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> AdaptedModel:
    """Train an image classifier from a backbone's original weights with a method that tolerates wrong labels.

    With cross-entropy on the kept part of a detection it is the second phase of DeFT (Wei et al., NeurIPS 2024,
    Algorithm 1, lines 12 to 15).

    Args:
        backbone: Id or folder of any image classification model of the Hugging Face hub, "tiny", or a model from
            `load_vision_model` or `load_encoder`.
        images: What to learn from: images, or what `fix_labels` made of a detection.
        method: How to learn, or the name of a method with its own settings; cross-entropy if not given.
        tuning: What of the backbone learns, or the name of a tuning; all of it if not given.
        head: "random", a new linear head; for a vision-language model also "linear", the same on what its image tower
            pools (of CLIP the class token after the last norm, as in the paper), "text", a linear head that starts as
            the zero-shot classifier, or "prompts", learned prompts as the classifier.
        epochs: How often each image is seen.
        optimization: How the losses are minimised; the authors' settings for the backbone if not given.
        validation: A share of the images to hold back, or a separate set of images; None for no validation.
            `Validation` says whether the best weights are kept instead of the last.
        noise_rate: Share of wrong labels, for a method that asks for it.
        batch_size: Images per step.
        seed: Draws heads, order, views and the validation split.
        workspace: Where and how to run; with a folder, every epoch leaves a checkpoint there.

    Returns:
        The trained classifier.

    Raises:
        DataError: Nothing is left to learn from, or fewer than two classes.
        ModelError: The backbone can't be loaded, the tuning doesn't fit it, or a number isn't finite.
        SettingsError: Some settings don't go together.

    Example:
        >>> model = deft.adapt("facebook/convnext-tiny-224", deft.fix_labels(found, images))  # doctest: +SKIP
        >>> model.save("model/")  # doctest: +SKIP
    """
    if not isinstance(images, TrainingSet):
        check_images(images, "adapt")
    kept = (images if isinstance(images, TrainingSet) else all_of(images)).by_content()
    watch, space = Stopwatch(), workspace or Workspace()
    learns = Full() if tuning is None else tuning_of(tuning)
    loaded = load_backbone(backbone, head) if isinstance(backbone, str | Path) else backbone
    plan = _Plan(
        method=_weighted(None if method is None else method_of(method), kept),
        tuning=learns,
        head=head,
        epochs=epochs,
        optimization=optimization or preset(kind_of(loaded), learns),
        validation=validation if isinstance(validation, Validation | None) else Validation(validation),
        noise_rate=noise_rate,
        batch_size=batch_size,
        seed=seed,
    )
    opened = open_backbone(loaded, learns, kept.images.words, head)
    _foretell(plan, opened, space.progress)
    reading = Reading(batch_size, seed, plan.optimization.precision)
    with open_samples(opened, kept.images, plan.method, plan.validation, space, reading) as samples:
        trained, training_record = _train(opened, kept, plan, samples, space)
    learned_from = replace(kept.images, pixels=samples.pixels)
    training_record["info"] = watch.info(learned_from, str(opened.device))
    return AdaptedModel(opened.predictor(trained, seed), kept.images.classes, training_record)


@dataclass(frozen=True)
class _Plan:
    """What was asked for, besides backbone and images."""

    method: Method
    tuning: Tuning
    head: Head
    epochs: int
    optimization: Optimization
    validation: Validation | None
    noise_rate: float | None
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise SettingsError(f"Training takes at least one epoch, not {self.epochs}.")
        if self.batch_size < 1:
            raise SettingsError(f"The batch size must be at least 1, not {self.batch_size}.")

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {
            "method": self.method.settings(),
            "tuning": self.tuning.settings(),
            "head": self.head,
            "epochs": self.epochs,
            "optimization": asdict(self.optimization),
            "noise_rate": self.noise_rate,
            "batch_size": self.batch_size,
            "seed": self.seed,
        }


def _foretell(plan: _Plan, backbone: Backbone, progress: Progress) -> None:
    """Say what a person should know of the backbone, and how long training will take beside the rest."""
    for remark in backbone.remarks:
        progress.note(remark)
    shares = of_training(plan.epochs, changes_images=plan.tuning.changes_images or plan.head == "random")
    progress.expect({"Training": shares["Training"]})


def _weighted(method: Method | None, kept: TrainingSet) -> Method:
    """Return the method; with weights, cross-entropy that uses them."""
    if kept.weights is None:
        return method or CE()
    if method not in (None, CE()):
        raise SettingsError(
            f"Weights of the labels go with cross-entropy, not with {type(method).__name__}, which has its own way to "
            "doubt them. Drop or relabel what was found wrong instead."
        )
    return WeightedCE(kept.weights)


def _train(
    backbone: Backbone, kept: TrainingSet, plan: _Plan, samples: Samples, space: Workspace
) -> tuple[Classifier, dict[str, Any]]:
    """Train, and return the network to keep with a record of the training."""
    method, networks = _build(backbone, kept.images, plan, samples)
    watched = Watched(
        method,
        networks[0],
        samples.validation,
        epochs=plan.epochs,
        keep_best=plan.validation is not None and plan.validation.keep == "best",
        progress=space.progress,
    )
    belongs = {**plan.settings(), **backbone.seen, "backbone": backbone.name, "validation": samples.description}
    fit(
        watched,
        samples.train,
        epochs=plan.epochs,
        optimization=plan.optimization,
        checkpoint=space.checkpoint(belongs, kept.images, backbone.module),
        progress=space.progress,
        seed=plan.seed,
    )
    watched.finish()
    _refuse_no_answer(networks[0], samples.train)
    training_record = {
        "backbone": backbone.name,
        "data": _data(kept, samples),
        **plan.settings(),
        **backbone.seen,
        "citation": plan.method.citation,
        "networks": len(networks),
        "validation": watched.report(),
    }
    return networks[0], training_record


def _refuse_no_answer(network: Classifier, train: Batches) -> None:
    """Refuse a network whose weights or answers are no numbers; it must not be kept as a model."""
    if not all(torch.isfinite(weight).all() for weight in network.parameters()):
        raise NotFinite("The trained weights are not finite", train.rows[:0], MENDS)
    with torch.no_grad():
        for batch in itertools.islice(train.ordered(), 1):
            scores = network(batch.inputs)
            check_numbers(scores, batch.index.cpu().numpy(), "The answers of the trained model")


def _build(
    backbone: Backbone, images: LabeledImages, plan: _Plan, samples: Samples
) -> tuple[Training, list[Classifier]]:
    """Return the method, and its networks in their order."""
    run = TrainingContext(
        optimization=plan.optimization,
        network=lambda seed: _shared(backbone.network(seed, backbone.entry), samples.train.processes),
        labels=images.labels,
        rows=samples.train.rows,
        classes=len(images.classes),
        epochs=plan.epochs,
        seed=plan.seed,
        device=backbone.device,
        noise_rate=plan.noise_rate,
    )
    method = plan.method.build(run)
    return method, [part for part in method.modules() if isinstance(part, Classifier)]


def _shared(network: Classifier, processes: Processes) -> Classifier:
    """Return a network whose work on a batch several processes share, unless it looks at the batch as a whole."""
    if not looks_at_batches(network):
        network.processes = processes
    return network


def _data(kept: TrainingSet, samples: Samples) -> dict[str, Any]:
    """Return what a model card says of the images."""
    seen = np.unique(kept.images.labels[samples.train.rows])
    missing = [name for number, name in enumerate(kept.images.classes) if number not in seen]
    held_back = {} if samples.validation is None else {"held back for validation": len(samples.validation.rows)}
    return {
        "counts": {**kept.counts, "trained on": len(samples.train.rows), **held_back},
        "fix": kept.fix,
        "detection": dict(kept.detection),
        "classes_without_images": missing,
    }
