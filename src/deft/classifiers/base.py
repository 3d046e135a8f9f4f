"""What a method trains: features of images, and a head that turns them into class scores.

Shapes: B batch, D width of the features, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from deft.training.processes import Processes


class Classifier(nn.Module, ABC):
    """An image classifier of K classes that gives its features as well.

    Its parameters that need gradients are what training moves, its `state_dict` what a checkpoint keeps: a frozen
    backbone is no part of either.

    Attributes:
        width: Width D of the features.
        classes: Number of classes K.
        processes: Those that share the work of a batch; each row's scores must then be its own.
    """

    width: int
    classes: int
    processes: Processes = Processes()

    @abstractmethod
    def features(self, inputs: Tensor) -> Tensor:
        """Return what the head reads, (B, D), of a batch's inputs."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Return class scores before the softmax, (B, K), of features (B, D)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return class scores before the softmax, (B, K), of a batch's inputs."""
        return self.processes.share(lambda part: self.classify(self.features(part)), inputs)
