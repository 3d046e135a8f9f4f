"""What every way to learn is: settings in a frozen value, which builds the `Training` that a run trains.

Shapes: N rows of the data set, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import ClassVar

import numpy as np
import torch

from deft.classifiers.base import Classifier
from deft.errors import SettingsError
from deft.shown import short_repr
from deft.training.batches import View
from deft.training.loop import Training
from deft.training.optimization import Optimization


@dataclass(frozen=True, repr=False)
class TrainingContext:
    """What a method may know about a run; true labels aren't part of it.

    Args:
        network: Returns a fresh network for a seed; networks of different seeds differ in what is drawn at random.
        labels: Given labels of all rows, (N,).
        rows: The rows that take part, (n,).
        classes: Number of classes K.
        epochs: Epochs of the run.
        seed: Seed of the run.
        device: Where the networks are.
        noise_rate: Share of wrong labels as the user states it; None if nothing was stated.
        optimization: How the losses are minimised, for methods with a rate of their own in some epochs.

    Example:
        >>> class Mine(Method):  # doctest: +SKIP
        ...     def build(self, run: TrainingContext) -> Training:
        ...         return MyTraining(run.network(run.seed))
    """

    network: Callable[[int], Classifier]
    labels: np.ndarray
    rows: np.ndarray
    classes: int
    epochs: int
    seed: int
    device: torch.device
    noise_rate: float | None = None
    optimization: Optimization = field(default_factory=Optimization)

    __repr__ = short_repr

    def stated_rate(self, method: str) -> float:
        """Return the noise rate, for a method that needs one.

        Args:
            method: Name of the method, for the error.

        Raises:
            SettingsError: None was stated.
        """
        if self.noise_rate is None:
            raise SettingsError(f"{method} needs the share of wrong labels; state it with noise_rate=.")
        return self.noise_rate


class Method(ABC):
    """How a classifier learns from noisy labels; a frozen value, chosen by its type.

    Attributes:
        citation: The paper that it comes from.
        views: Which views of each sample it draws at most; this decides what has to be kept of the images.

    Example:
        >>> model = adapt("facebook/convnext-tiny-224", images, method=GCE(q=0.7))  # doctest: +SKIP
    """

    citation: ClassVar[str]
    views: ClassVar[tuple[View, ...]] = ("weak",)

    __repr__ = short_repr

    @abstractmethod
    def build(self, run: TrainingContext) -> Training:
        """Return what one run trains, with fresh networks.

        Args:
            run: The networks, the labels, and what else a method may know.

        Raises:
            SettingsError: The run lacks something that the method needs.
        """

    def settings(self) -> dict[str, object]:
        """Return the method as plain JSON values."""
        assert is_dataclass(self)
        return {"type": type(self).__name__, **asdict(self)}
