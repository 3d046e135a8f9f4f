"""DeFT (Wei et al., NeurIPS 2024): a vision-language model learns which labels to believe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from deft.arguments import checked
from deft.data.images import LabeledImages
from deft.detectors.base import Detector, by_content, check_model
from deft.detectors.deft_sample import Features
from deft.detectors.deft_stopping import HeldOut, Stopping
from deft.detectors.deft_trained import TrainedDeFT, build_method
from deft.detectors.deft_training import CITATION, MOST_GROUPS, Recipe
from deft.detectors.deft_weighing import frozen_features
from deft.detectors.stratified import Stratified
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.moved import old_parameters
from deft.one_thread import FEW_ROWS, one_thread
from deft.prompts.learned import PromptSettings
from deft.runs.detection import Detection, Verdicts
from deft.runs.provenance import Stopwatch
from deft.runs.reorder import in_order
from deft.stages import of_training
from deft.training.batches import Batches
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.loop import fit
from deft.training.optimization import Optimization
from deft.training.workspace import Workspace
from deft.tuning import VPT, Frozen, Tuning, tuning_of
from deft.tuning.parts import frozen_part

AT_ONCE = 16_384  # images in a batch of kept features, at most
FEW_SCORES = 2**19  # of images and classes, which one thread weighs in seconds
BY_EVIDENCE = Recipe(warmup=None, warmup_loss="gce", verdict="evidence", steps=100, classes=256, rate="temperature")
"""How the default learns: with a robust loss, from all labels in every epoch, in few steps of the text tower."""


@old_parameters("prompts", {"context_length": "length", "position": "position", "class_specific": "class_specific"})
@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class DeFT(Detector):
    """Finds wrong labels with dual prompts and other evidence about the class (Wei et al. 2024, extended).

    Every class gets a learned prompt for it and one against it (Algorithm 1, phase 1). Both are experts, beside the
    zero-shot text, a discriminant and the nearest neighbours in the untouched encoder's features. How much each counts,
    and how labels go wrong, is chosen by how well it predicts held-out labels, so neither a noise rate nor a preset is
    needed, whether or not the encoder knows the classes. The verdict comes from a separate pass with the final weights.

    `DeFT.paper` is the paper's detector: VPT, and a label passes if the image is closer to its positive prompt than to
    its negative one. `docs/deft.md` compares the two.

    Args:
        encoder: A vision-language model, from `load_encoder`.
        tuning: How the image tower adapts; by default not at all, so that every image is seen once.
        prompts: Length, position and kind of the learned contexts.
        epochs: Number of epochs T₁, warm-up included.
        recipe: How phase 1 learns, and what the verdict is based on.
        optimization: Learning rate, schedule and number format.
        batch_size: Images per step; with kept features, the smallest number (see `Recipe`).
        seed: Draws prompts, order, augmentation and complementary labels.
        views: Views kept per image where an encoder's stem is heavy (see `Reading`).
        learn_from: The part of the images that it learns from; the others are judged with what was learned.
        stopping: When a tuning that changes the image tower has learned enough.

    Raises:
        SettingsError: A setting is out of its bounds.

    Example:
        >>> found = DeFT(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "deft"
    citation: ClassVar[str] = CITATION

    tuning: Tuning = Frozen()
    prompts: PromptSettings = PromptSettings()
    epochs: int = 10
    recipe: Recipe = BY_EVIDENCE
    optimization: Optimization = Optimization()
    batch_size: int = 64
    seed: int = 0
    views: int = 2
    learn_from: Stratified = Stratified()
    stopping: Stopping = Stopping()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tuning", tuning_of(self.tuning))
        if self.epochs < 1:
            raise SettingsError(f"DeFT needs at least one epoch, not {self.epochs}.")
        _ = self.reading  # which refuses what is out of its bounds

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.batch_size, self.seed, self.optimization.precision, self.views)

    @classmethod
    def paper(cls, encoder: DualEncoder, *, tuning: Tuning = VPT(length=20), seed: int = 0) -> DeFT:
        """Return the paper's detector, whatever the defaults are.

        Source: Wei et al. 2024, section 4.1 and appendix; L_dp as in the authors' code.

        Args:
            encoder: A vision-language model.
            tuning: How the image tower adapts.
            seed: As in `DeFT`.

        Example:
            >>> replace(DeFT.paper(encoder), epochs=5)  # doctest: +SKIP
        """
        return cls(
            encoder,
            tuning=tuning,
            prompts=PromptSettings(length=16, position="end", class_specific=False),
            epochs=10,
            recipe=Recipe(
                warmup=1,
                dual_warmup=1,
                gradient="negative",
                pseudo_labels=True,
                warmup_loss="ce",
                require_margin=False,
                verdict="negative",
            ),
            optimization=Optimization(learning_rate=0.03, momentum=0.9, weight_decay=5e-4, schedule="cosine"),
            batch_size=64,
            seed=seed,
            stopping=Stopping(patience=None),
        )

    @classmethod
    def for_real_noise(cls, encoder: DualEncoder, *, tuning: Tuning = VPT(length=20), seed: int = 0) -> DeFT:
        """Return the authors' settings for labels made by people or scraped: a longer, robust warm-up and a margin.

        The learning rate stays at 0.03, since the authors' scripts for real noise never step their scheduler.

        Args:
            encoder: A vision-language model.
            tuning: How the image tower adapts.
            seed: As in `DeFT`.
        """
        base = cls.paper(encoder, tuning=tuning, seed=seed)
        return replace(
            base,
            recipe=replace(base.recipe, warmup=5, warmup_loss="sce", require_margin=True),
            optimization=replace(base.optimization, schedule="constant"),
        )

    @classmethod
    def for_weak_model(
        cls, encoder: DualEncoder, *, tuning: Tuning = VPT(length=20), epochs: int = 10, seed: int = 0
    ) -> DeFT:
        """Return settings for a model that hardly knows the classes, such as the bundled `tiny`; not the paper's.

        Every class learns its own contexts, since a shared one relies on what the names mean to the model; L_sim is
        generalised cross-entropy over all labels in every epoch, since a weak model's early verdicts are unreliable;
        the verdict is the posterior, since a weak model is often unsure. The learning rate suits `tiny`, whose inverse
        temperature is a third of CLIP's.

        Args:
            encoder: A vision-language model.
            tuning: How the image tower adapts.
            epochs: As in `DeFT`.
            seed: As in `DeFT`.
        """
        base = cls.paper(encoder, tuning=tuning, seed=seed)
        return replace(
            base,
            prompts=replace(base.prompts, class_specific=True),
            epochs=epochs,
            recipe=replace(base.recipe, warmup=None, warmup_loss="gce", verdict="posterior"),
            optimization=replace(base.optimization, learning_rate=0.1),
        )

    def _detect(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> Detection:
        return self._learn(images, space, watch)[1]

    @checked
    def train(self, images: LabeledImages, *, workspace: Workspace | None = None) -> tuple[TrainedDeFT, Detection]:
        """Learn from labelled images and judge them.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run; with a folder, every epoch leaves a checkpoint there.

        Returns:
            The trained detector, which can be saved and can judge other images, and the verdicts on these.
        """
        check_model(self)
        space, watch = workspace or Workspace(), Stopwatch()
        ordered, place = by_content(images, space)
        trained, found = self._learn(ordered, space, watch)
        return trained, in_order(found, place)

    def fit(self, images: LabeledImages, *, workspace: Workspace | None = None) -> TrainedDeFT:
        """Return the detector that has learned from images: `train` without the verdicts, as scikit-learn names it.

        Args:
            images: Labelled images, N of them.
            workspace: Where and how to run.

        Example:
            >>> DeFT(encoder).fit(images).predict(new_images)  # doctest: +SKIP
        """
        return self.train(images, workspace=workspace)[0]

    def _learn(self, images: LabeledImages, space: Workspace, watch: Stopwatch) -> tuple[TrainedDeFT, Detection]:
        space.progress.expect(of_training(self.epochs, changes_images=self.tuning.changes_images))
        part = frozen_part(self.encoder, self.tuning, self.recipe.features)
        with (
            open_inputs(part, images, space, self.reading) as inputs,
            frozen_features(self.encoder, self.tuning, self.recipe, inputs, space, self.reading) as frozen,
        ):
            trained, verdicts = self.learn(images, inputs, frozen, space)
        told = trained.told(verdicts, inputs.trusted) | self._sampled(images, inputs)
        return trained, self._judged(inputs, verdicts, watch, self.reading, told)

    def learn(
        self, images: LabeledImages, inputs: Inputs, frozen: Features | None, space: Workspace
    ) -> tuple[TrainedDeFT, Verdicts]:
        """Learn from open inputs and judge them.

        Args:
            images: What was opened, N of them, in the order of their content.
            inputs: The images, opened.
            frozen: Features of the untouched encoder, if verdicts are based on evidence (`frozen_features`).
            space: Where and how to run.

        Returns:
            The trained detector and the verdicts, (N,).
        """
        part = replace(inputs, batches=inputs.batches.only(self._drawn(images, inputs)))
        with one_thread(len(images.classes) < FEW_ROWS and not self.tuning.changes_images):
            trained = self._train(images, part, space)
        with one_thread(len(images) * len(images.classes) <= FEW_SCORES):
            trained = trained.observed(images, part, frozen, space.progress)
            return trained, trained.judge(inputs, frozen, len(images), space.progress)

    def _drawn(self, images: LabeledImages, inputs: Inputs) -> np.ndarray:
        """Return the rows that are learned from."""
        return self.learn_from.draw(inputs.batches.rows, images.labels, images.content_id, inputs.trusted, self.seed)

    def _sampled(self, images: LabeledImages, inputs: Inputs) -> dict[str, Any]:
        """Return how many images were learned from and how many were only judged; nothing where that is none."""
        learned, judged = len(self._drawn(images, inputs)), len(inputs.batches.rows)
        return {} if learned == judged else {"sample": {"learned": learned, "scored": judged - learned}}

    def _samples(self, batches: Batches, classes: int) -> Batches:
        """Return the training samples; with kept features in batches so large that the text tower seldom runs."""
        if self.recipe.steps is None or self.tuning.changes_images:
            return batches
        shown = min(self.recipe.groups(classes), MOST_GROUPS)  # steps that each batch is good for
        most = max(AT_ONCE * self.recipe.steps // (self.epochs * shown), AT_ONCE)
        rows = min(len(batches.rows), most)
        return batches.larger(min(-(-rows * self.epochs * shown // self.recipe.steps), rows), most=most)

    def _train(self, images: LabeledImages, inputs: Inputs, space: Workspace) -> TrainedDeFT:
        checkpoint = space.checkpoint(self.settings(), images, self.encoder)
        with self.tuning.attach(self.encoder, seed=self.seed) as attachment:
            method = build_method(
                self.encoder, self.tuning, inputs, images.words, self.prompts, attachment, self.recipe, seed=self.seed
            )
            batches, ending = inputs.batches, None
            if self.tuning.changes_images:
                batches, ending = self.stopping.split(inputs, images.content_id, self.reading)
            method.ending = ending
            fit(
                method,
                self._samples(batches, len(images.classes)),
                epochs=self.epochs,
                optimization=self.optimization,
                checkpoint=checkpoint,
                progress=space.progress,
            )
            method.ending = None  # which is no part of what was learned
            weights = {name: value.detach().clone() for name, value in method.state_dict().items()}
        return TrainedDeFT(
            encoder=self.encoder,
            tuning=self.tuning,
            classes=images.classes,
            words=images.words,
            prompts=self.prompts,
            recipe=self.recipe,
            reading=self.reading,
            weights=weights,
            pixels=inputs.images.pixels,
            ended_after=self._ended(ending, space),
        )

    def _ended(self, ending: HeldOut | None, space: Workspace) -> int | None:
        """Say that training ended early, and return after how many epochs; None if it didn't."""
        if ending is None or not ending.over or ending.epochs == self.epochs:
            return None
        early = f"Training ended after {ending.epochs} of {self.epochs} epochs"
        space.progress.note(f"{early}: labels that were held out are foretold no better.")
        return ending.epochs
