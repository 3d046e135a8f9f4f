"""DeFT (Wei et al., NeurIPS 2024): a vision-language model learns which labels to believe."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deft.data.images import LabeledImages
from deft.detectors.base import Detector, run_info
from deft.detectors.deft_trained import TrainedDeFT, build_method
from deft.detectors.deft_training import Recipe
from deft.encoders.base import DualEncoder
from deft.encoders.text import NamePosition
from deft.errors import SettingsError
from deft.runs.detection import Detection, new_detection
from deft.runs.provenance import Stopwatch
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.loop import fit
from deft.training.optimization import Optimization
from deft.training.precision import Precision
from deft.training.workspace import Workspace
from deft.tuning import VPT, Tuning
from deft.tuning.parts import frozen_part


class DeFT(Detector):
    """Finds wrong labels with dual prompts (Wei et al. 2024, Algorithm 1, phase 1).

    Every class gets a learned sentence for it and one against it; a label is believed if the image is closer to the
    first than to the second, so the threshold is learned and no noise rate is asked for. The verdict comes from a
    separate pass with the final weights.

    L_dp is read as the authors' code has it by default, `Recipe(gradient="negative")`: it trains the negative prompts
    only. `Recipe(gradient="both")` is the formula as published. `docs/deft.md` shows both, measured.

    Args:
        encoder: A vision-language model, from `load_encoder`.
        tuning: How the image tower adapts.
        context_length: Number of context vectors M per prompt.
        position: Where the class name stands among them.
        class_specific: Whether each class learns contexts of its own.
        epochs: Epochs T₁ in all, warm-up included.
        recipe: How the losses are read.
        optimization: Learning rate and its company.
        batch_size: Images per step.
        seed: Draws prompts, order, augmentation and complementary labels.
        views: Views kept per image where an encoder's stem is heavy (see `Reading`).

    Example:
        >>> found = DeFT(load_encoder("tiny"), tuning=Frozen()).detect(images)  # doctest: +SKIP
        >>> found.is_label_issue.mean()  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: DualEncoder,
        *,
        tuning: Tuning | None = None,
        context_length: int = 16,
        position: NamePosition = "end",
        class_specific: bool = False,
        epochs: int = 10,
        recipe: Recipe | None = None,
        optimization: Optimization | None = None,
        batch_size: int = 64,
        seed: int = 0,
        views: int = 2,
    ) -> None:
        if epochs < 1:
            raise SettingsError(f"DeFT needs at least one epoch, not {epochs}.")
        if batch_size < 1:
            raise SettingsError(f"The batch size must be at least 1, not {batch_size}.")
        self.encoder = encoder
        self.tuning = tuning if tuning is not None else VPT(length=20)
        self.prompts: dict[str, Any] = {
            "length": context_length,
            "position": position,
            "class_specific": class_specific,
            "seed": seed,
        }
        self.epochs = epochs
        self.recipe = recipe or Recipe()
        self.optimization = optimization or Optimization()
        self.reading = Reading(batch_size, seed, self.optimization.precision, views)

    @classmethod
    def for_real_noise(
        cls,
        encoder: DualEncoder,
        *,
        tuning: Tuning | None = None,
        seed: int = 0,
        precision: Precision = "auto",
        **settings: Any,
    ) -> DeFT:
        """The authors' settings for labels made by people or scraped: a longer, robust warm-up and a margin.

        Args:
            encoder: A vision-language model.
            tuning: How the image tower adapts.
            seed: As in `DeFT`.
            precision: Number format of the activations.
            settings: Further arguments of `DeFT`.
        """
        recipe = Recipe(warmup=5, warmup_loss="sce", require_margin=True)
        optimization = Optimization(precision=precision)
        return cls(encoder, tuning=tuning, seed=seed, recipe=recipe, optimization=optimization, **settings)

    @classmethod
    def for_weak_model(
        cls,
        encoder: DualEncoder,
        *,
        tuning: Tuning | None = None,
        epochs: int = 10,
        seed: int = 0,
        precision: Precision = "auto",
        **settings: Any,
    ) -> DeFT:
        """Settings for a model that hardly knows the classes, such as the bundled `tiny`; ours, not the paper's.

        Every class learns contexts of its own, since a shared one can only lean on what the names mean to the model;
        L_sim is generalised cross-entropy over all labels to the end, since a weak model's early verdicts are no guide;
        the verdict is the posterior, since a weak model is often unsure. The learning rate suits `tiny`, whose inverse
        temperature is a third of CLIP's. `docs/benchmarks.md` shows what it gains.

        Args:
            encoder: A vision-language model.
            tuning: How the image tower adapts.
            epochs: As in `DeFT`.
            seed: As in `DeFT`.
            precision: Number format of the activations.
            settings: Further arguments of `DeFT`.
        """
        recipe = Recipe(warmup=epochs, warmup_loss="gce", verdict="posterior")
        optimization = Optimization(learning_rate=0.1, precision=precision)
        shared: dict[str, Any] = {"class_specific": True, **settings}
        return cls(encoder, tuning=tuning, epochs=epochs, seed=seed, recipe=recipe, optimization=optimization, **shared)

    def settings(self) -> dict[str, object]:
        return {
            "detector": "deft",
            "model": self.encoder.name,
            "tuning": self.tuning.settings(),
            "prompts": dict(self.prompts),
            "recipe": asdict(self.recipe),
            "reading": asdict(self.reading),
            "optimization": self.optimization.settings(),
            "epochs": self.epochs,
        }

    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        return self.train(images, workspace=workspace)[1]

    def train(self, images: LabeledImages, *, workspace: Workspace | None = None) -> tuple[TrainedDeFT, Detection]:
        """Learn from labelled images and judge them.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run; with a folder, every epoch leaves a checkpoint there.

        Returns:
            The trained detector, which can be saved and can judge other images, and the verdicts on these.
        """
        space, watch = workspace or Workspace(), Stopwatch()
        with open_inputs(frozen_part(self.encoder, self.tuning), images, space, self.reading) as inputs:
            trained = self._train(images, inputs, space).observed(inputs, space.progress)
            verdicts = trained.judge(inputs, len(images), space.progress)
        found = new_detection(
            images,
            verdicts,
            read_errors=inputs.read_errors,
            settings=self.settings(),
            info=run_info(watch, images, self.encoder),
        )
        return trained, found

    def _train(self, images: LabeledImages, inputs: Inputs, space: Workspace) -> TrainedDeFT:
        checkpoint = space.checkpoint(self.settings(), images, self.encoder)
        with self.tuning.attach(self.encoder, seed=self.reading.seed) as attachment:
            method = build_method(
                self.encoder, self.tuning, inputs, images.classes, self.prompts, attachment, self.recipe
            )
            fit(
                method,
                inputs.batches,
                epochs=self.epochs,
                optimization=self.optimization,
                checkpoint=checkpoint,
                progress=space.progress,
            )
            weights = {name: value.detach().clone() for name, value in method.state_dict().items()}
        return TrainedDeFT(
            encoder=self.encoder,
            tuning=self.tuning,
            classes=images.classes,
            prompts=self.prompts,
            recipe=self.recipe,
            reading=self.reading,
            weights=weights,
        )
