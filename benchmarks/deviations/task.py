"""The small task: a linear head on what the bundled `tiny` sees in some photos of CIFAR-10, with symmetric noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deft.classifiers.linear import LinearClassifier
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.base import Detector
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.methods.base import Method, TrainingContext
from deft.metrics import score_detection
from deft.noise import symmetric
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.inputs import FrozenPart, Reading, open_inputs
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

CPU = torch.device("cpu")
START, EPOCHS, BATCH, SEEDS = 20_000, 10, 64, (0, 1, 2)
CLUTTER = "BACKGROUND_Google"
"""Caltech-101's folder of what is none of its classes."""
OPTIMIZATION = Optimization(learning_rate=0.03, momentum=0.9, weight_decay=5e-4)


class Kept(Loader):
    """Features of a few views of each photo: the plain one and the weak ones, then the strong ones.

    Args:
        views: Features, (V, N, P).
        strong: How many views, at the end, are strong.
    """

    def __init__(self, views: Tensor, strong: int) -> None:
        self.views, self._weak = views, len(views) - strong

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        first, last = {"plain": (0, 1), "weak": (0, self._weak), "strong": (self._weak, len(self.views))}[view]
        chosen = np.zeros(len(rows), np.int64) if rng is None else rng.integers(first, last, size=len(rows))
        return self.views[chosen, rows]


@dataclass(frozen=True)
class Task:
    """Photos, their features, and what is measured on them.

    Args:
        photos: Photos to learn from, with their true labels.
        unseen: Photos to test on.
        wide: Photos of full size, mostly wider than high.
        folder: Keeps what the model sees in them, for all detectors.
        rate: Share of the labels that is made wrong.
    """

    photos: LabeledImages
    unseen: LabeledImages
    wide: LabeledImages
    folder: Path
    rate: float = 0.4

    @classmethod
    def read(cls, data: Path, photos: Path, folder: Path, *, count: int = 2000) -> Task:
        """Return the task on photos of CIFAR-10, and of Caltech-101 where they are to be of full size.

        Args:
            data: Folder with `cifar10n-train.parquet` and `cifar10-test.parquet`.
            photos: Folder with `caltech/101_ObjectCategories`.
            folder: As in the class.
            count: Photos to learn from, and as many to test on.
        """
        train = load_images(data / "cifar10n-train.parquet", label_column="label_true")
        test = load_images(data / "cifar10-test.parquet", label_column="label_true")
        wide = load_images(photos / "caltech" / "101_ObjectCategories")
        things = np.flatnonzero(wide.labels != wide.classes.index(CLUTTER))
        some = np.sort(np.random.default_rng(0).permutation(things)[: count // 2])
        return cls(train.keep(np.arange(START, START + count)), test.keep(np.arange(count)), wide.keep(some), folder)

    @cached_property
    def encoder(self) -> DualEncoder:
        """The bundled model."""
        return load_encoder("tiny", device="cpu")

    @cached_property
    def kept(self) -> Kept:
        """What the model sees in the photos: the plain view, a weak one, and two strong ones."""
        return self._features(self.photos, weak=1, strong=2)

    def noisy(self, seed: int, rate: float | None = None) -> LabeledImages:
        """Return the photos with wrong labels, and the true ones beside them.

        Args:
            seed: Draws the noise.
            rate: Its rate, the task's if not given.
        """
        truth = self.photos.labels
        share = self.rate if rate is None else rate
        labels = symmetric(truth, share, num_classes=len(self.photos.classes), seed=seed)
        return replace(self.photos.relabel(labels), clean_labels=truth)

    def learn(
        self,
        method: Method | Callable[[LabeledImages], Method],
        *,
        rate: float | None = None,
        rows: Callable[[LabeledImages], np.ndarray] | None = None,
        watch: Callable[[Training], None] | None = None,
        told: bool = False,
        optimization: Optimization = OPTIMIZATION,
    ) -> list[float]:
        """Return the accuracy of a linear head that a method trained, for each seed.

        Args:
            method: How it learns, or what makes that of the noisy photos.
            rate: Of the noise.
            rows: Which photos take part; all if not given.
            watch: Looks at what was trained.
            told: Whether the method is told the true rate.
            optimization: Learning rate and its schedule.
        """
        found = []
        for seed in SEEDS:
            images = self.noisy(seed, rate)
            taking_part = np.arange(len(images)) if rows is None else rows(images)
            train = Batches(self.kept, images.labels, taking_part, batch_size=BATCH, seed=seed, device=CPU)
            true_rate = float((images.labels != self.photos.labels).mean())
            run = TrainingContext(
                network=partial(self._network, len(images.classes)),
                labels=images.labels,
                rows=taking_part,
                classes=len(images.classes),
                epochs=EPOCHS,
                seed=seed,
                device=CPU,
                noise_rate=true_rate if told else None,
                optimization=optimization,
            )
            built = (method if isinstance(method, Method) else method(images)).build(run)
            fit(built, train, epochs=EPOCHS, optimization=optimization, seed=seed)
            if watch is not None:
                watch(built)
            found.append(self._accuracy(built))
        return found

    def judge(self, detector: Callable[[int, float], Detector], measure: str = "f1") -> list[float]:
        """Return how well a detector finds the wrong labels, for each seed.

        Args:
            detector: Makes it, from a seed and the true rate.
            measure: A number of `score_detection`.
        """
        found = []
        for seed in SEEDS:
            images = self.noisy(seed)
            rate = float((images.labels != self.photos.labels).mean())
            verdicts = detector(seed, rate).detect(images, workspace=self.space)
            assert images.clean_labels is not None
            scores = score_detection(
                verdicts.is_label_issue, verdicts.p_clean, images.labels, images.clean_labels, verdicts.predicted
            )
            found.append(float(getattr(scores, measure)))
        return found

    @property
    def space(self) -> Workspace:
        """Where detectors work; what the model sees is computed once."""
        return Workspace(self.folder, keep_features=True, workers=0)

    def _network(self, classes: int, seed: int) -> LinearClassifier:
        return LinearClassifier(self.encoder, Frozen(), classes, entry="features", seed=seed)

    @cached_property
    def _test(self) -> Batches:
        kept = self._features(self.unseen, weak=0, strong=0)
        return Batches(kept, self.unseen.labels, np.arange(len(self.unseen)), batch_size=500, seed=0, device=CPU)

    def _accuracy(self, trained: Training) -> float:
        trained.eval()
        right = 0
        with torch.no_grad():
            for batch in self._test.ordered():
                right += int((trained.predict(batch.inputs).argmax(dim=1) == batch.labels).sum())
        return right / len(self.unseen)

    def _features(self, images: LabeledImages, *, weak: int, strong: int) -> Kept:
        part = replace(frozen_part(self.encoder, Frozen(), "pooled"), augmented=True)
        return Kept(kept_views(part, images, weak=weak, strong=strong), strong)


def kept_views(part: FrozenPart, images: LabeledImages, *, weak: int, strong: int) -> Tensor:
    """Return what a frozen model gives for the plain view of each image, and for views that are drawn, (V, N, P).

    Args:
        part: The model.
        images: The images, all of which can be read.
        weak: How many weak views.
        strong: How many strong ones.
    """
    reading = Reading(BATCH, views=1 + weak, strong_views=strong)
    with open_inputs(part, images, Workspace(workers=0), reading, duplicates=False) as inputs:
        loader = inputs.batches.loader
        views: np.ndarray = getattr(loader, "views")  # noqa: B009
        return torch.from_numpy(np.array(views)).float()
