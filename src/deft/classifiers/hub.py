"""An image classification backbone of the Hugging Face hub with a new linear head.

Shapes: B batch, S side of the images, D width of the features, K classes.
"""

from __future__ import annotations

import copy
from typing import Literal

from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.classifiers.linear import seeded_linear
from deft.encoders.vision import VisionModel
from deft.errors import ModelError
from deft.tuning import Bias, Frozen, Full, Layers, LoRA, Tuning

FITTING = (Full, Layers, LoRA, Bias, Frozen)


class HubClassifier(Classifier):
    """A linear head on a backbone of the hub; the backbone is copied, so that several can be trained.

    Under `Full` everything learns, the statistics of batch norms included, and dropout drops. Under any other tuning
    the backbone stays in evaluation mode, as frozen weights want their frozen statistics.

    Args:
        backbone: The original weights.
        tuning: What of it is trained beside the head: Full, Layers, LoRA, Bias or Frozen.
        classes: Number of classes K.
        entry: What a batch holds: images, or the features of a frozen backbone.
        seed: Draws the head and the tuning's weights.

    Raises:
        ModelError: The tuning doesn't fit this backbone.
    """

    def __init__(
        self,
        backbone: VisionModel,
        tuning: Tuning,
        classes: int,
        *,
        entry: Literal["pixels", "features"],
        seed: int,
    ) -> None:
        super().__init__()
        if not isinstance(tuning, FITTING):
            raise ModelError(
                f"{type(tuning).__name__} needs the layers of a vision-language model's image tower; for "
                f"{backbone.name!r} take one of: {', '.join(kind.__name__ for kind in FITTING)}."
            )
        own = copy.deepcopy(backbone)
        attachment = tuning.attach(own, seed=seed)
        self._borrowed = (own,)
        self._entry = entry
        if tuning.changes_stem:
            # As a part of this module its statistics are saved, and its mode follows.
            self.backbone = own.visual
        else:
            self.attachment = attachment
        self.width = own.width
        self.classes = classes
        self.head = seeded_linear(self.width, classes, seed=seed).to(own.device)

    def features(self, inputs: Tensor) -> Tensor:
        (own,) = self._borrowed
        if self._entry == "features":
            return inputs
        alone = len(inputs) < 2 and own.visual.training
        if not alone:
            return own.features(inputs)
        # One image has no statistics of its own for a batch norm: the running ones serve.
        own.visual.eval()
        features = own.features(inputs)
        own.visual.train()
        return features

    def classify(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(features)
        return scores

    def merged(self) -> tuple[VisionModel, nn.Linear]:
        """Return the backbone with everything learned merged into its own weights, and the head.

        This classifier is spent afterwards: what it added is part of the backbone now.
        """
        (own,) = self._borrowed
        if "attachment" in dict(self.named_children()):
            self.attachment.merge()
        own.eval().requires_grad_(False)
        return own, self.head
