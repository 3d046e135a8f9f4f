"""A small problem with wrong labels: blobs in a table, and a network that is large enough to learn it by heart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.classifiers.linear import seeded_linear
from deft.methods.base import Method, TrainingContext
from deft.noise import symmetric
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.loop import Training, fit
from deft.training.optimization import Optimization

CPU = torch.device("cpu")
JITTER = {"plain": 0.0, "weak": 0.1, "strong": 0.5}


class Table(Loader):
    """Rows of a table; a view adds noise, the strong one more of it."""

    def __init__(self, values: Tensor, *, jitter: float = 1.0) -> None:
        self.values = values
        self.jitter = jitter

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        plain = self.values[torch.from_numpy(rows)]
        if rng is None:
            return plain
        noise = torch.from_numpy(rng.normal(size=tuple(plain.shape)).astype(np.float32))
        return plain + self.jitter * JITTER[view] * noise


class Perceptron(Classifier):
    """One hidden layer, the same for every seed as a pre-trained network would be, and a head drawn from the seed."""

    def __init__(self, inputs: int, hidden: int, classes: int, seed: int) -> None:
        super().__init__()
        self.width, self.classes = hidden, classes
        self.body = seeded_linear(inputs, hidden, seed=1000)
        self.head = seeded_linear(hidden, classes, seed=seed)

    def features(self, inputs: Tensor) -> Tensor:
        hidden: Tensor = torch.relu(self.body(inputs.flatten(1)))
        return hidden

    def classify(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(features)
        return scores


class Shift(Classifier):
    """Says of each sample the scores that it is given, plus a trainable shift that starts at zero."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.width = self.classes = classes
        self.shift = nn.Parameter(torch.zeros(classes))

    def features(self, inputs: Tensor) -> Tensor:
        return inputs

    def classify(self, features: Tensor) -> Tensor:
        scores: Tensor = features + self.shift
        return scores


@dataclass(frozen=True)
class Problem:
    """What a run is made of, and what only the test knows.

    Attributes:
        setting: What the method may know.
        train: The samples with given labels.
        truth: True labels of all rows, (N,).
        test_inputs, test_truth: Samples that no method sees.
    """

    context: TrainingContext
    train: Batches
    truth: np.ndarray
    test_inputs: Tensor
    test_truth: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Whether each given label is wrong, (N,)."""
        wrong: np.ndarray = self.context.labels != self.truth
        return wrong

    def run(self, method: Method, *, rate: float = 0.2) -> Training:
        """Train a method over the setting's epochs, in float32."""
        optimization = Optimization(rate, weight_decay=0.0, schedule="constant", precision="float32")
        return fit(
            method.build(self.context),
            self.train,
            epochs=self.context.epochs,
            optimization=optimization,
            seed=self.context.seed,
        )

    def accuracy(self, method: Training) -> float:
        """Share of the test samples that a trained method gets right."""
        with torch.no_grad():
            found = method.predict(self.test_inputs).argmax(dim=1).numpy()
        return float((found == self.test_truth).mean())

    def memorised(self, method: Training) -> float:
        """Share of the wrong given labels that a trained method repeats."""
        with torch.no_grad():
            found = method.predict(self.train.loader.load(self.train.rows, None)).argmax(dim=1).numpy()
        wrong = self.wrong[self.train.rows]
        return float((found == self.context.labels[self.train.rows])[wrong].mean())


TableRun = Callable[..., Problem]


@pytest.fixture
def table_run() -> TableRun:
    """Make a problem: `table_run(noise=0.4, classes=4, count=400, shape=(16,), epochs=10, ...)`."""

    def make(
        *,
        noise: float = 0.4,
        classes: int = 4,
        count: int = 400,
        shape: Sequence[int] = (16,),
        epochs: int = 10,
        batch_size: int = 40,
        hidden: int = 256,
        spread: float = 1.0,
        noise_rate: float | None = None,
        rows: Sequence[int] | None = None,
        labels: np.ndarray | None = None,
        seed: int = 0,
    ) -> Problem:
        rng = np.random.default_rng(seed)
        size = int(np.prod(shape))
        centres = rng.normal(size=(classes, size))
        truth = np.arange(count) % classes
        test_truth = np.arange(1000) % classes
        values, test = (
            (centres[truths] + spread * rng.normal(size=(len(truths), size))).astype(np.float32).reshape(-1, *shape)
            for truths in (truth, test_truth)
        )
        given = symmetric(truth, noise, num_classes=classes, seed=seed) if labels is None else labels
        taking_part = np.arange(count) if rows is None else np.asarray(rows, np.int64)
        run = TrainingContext(
            network=lambda number: Perceptron(size, hidden, classes, number),
            labels=given,
            rows=taking_part,
            classes=classes,
            epochs=epochs,
            seed=seed,
            device=CPU,
            noise_rate=noise_rate,
        )
        loader = Table(torch.from_numpy(values))
        train = Batches(loader, given, taking_part, batch_size=batch_size, seed=seed, device=CPU)
        return Problem(run, train, truth, torch.from_numpy(test), test_truth)

    return make


ScoreRun = Callable[..., Problem]


@pytest.fixture
def score_run() -> ScoreRun:
    """Make a problem whose samples are the scores themselves: `score_run(scores, labels, batch_size=..., ...)`."""

    def make(
        scores: object,
        labels: Sequence[int],
        *,
        batch_size: int = 100,
        epochs: int = 10,
        noise_rate: float | None = None,
        rows: Sequence[int] | None = None,
    ) -> Problem:
        values = torch.as_tensor(scores, dtype=torch.float32)
        given = np.asarray(labels, np.int64)
        classes = values.shape[1]
        taking_part = np.arange(len(given)) if rows is None else np.asarray(rows, np.int64)
        run = TrainingContext(
            network=lambda _: Shift(classes),
            labels=given,
            rows=taking_part,
            classes=classes,
            epochs=epochs,
            seed=0,
            device=CPU,
            noise_rate=noise_rate,
        )
        loader = Table(values, jitter=0.0)
        train = Batches(loader, given, taking_part, batch_size=batch_size, seed=0, device=CPU)
        return Problem(run, train, given, values, given)

    return make
