"""The image half of a vision-language model with a linear head.

Shapes: B batch, L tokens, W width of the tokens, D width of the features, K classes.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.encoders.base import DualEncoder
from deft.tuning import Tuning
from deft.tuning.parts import Entry, first_layer


class LinearClassifier(Classifier):
    """A linear head on an encoder's pooled features, as DeFT's second phase and its rivals have it.

    The encoder's image half is copied, so that several networks can be trained beside each other. Its original
    weights are the start; a tuning says what of it moves.

    Args:
        encoder: A frozen vision-language model.
        tuning: What of its image half is trained beside the head.
        classes: Number of classes K.
        entry: What a batch holds.
        seed: Draws the head and the tuning's weights.
    """

    def __init__(self, encoder: DualEncoder, tuning: Tuning, classes: int, *, entry: Entry, seed: int) -> None:
        super().__init__()
        own = own_copy(encoder)
        self._borrowed = (own,)
        self._entry, self._layer = entry, first_layer(encoder, tuning)
        self.attachment = tuning.attach(own, seed=seed)
        self.width = own.pooled_width
        self.classes = classes
        self.head = seeded_linear(self.width, classes, seed=seed).to(own.device)

    def features(self, inputs: Tensor) -> Tensor:
        (encoder,) = self._borrowed
        if self._entry == "features":
            return inputs
        if self._entry == "tokens":
            return encoder.pool(inputs, self._layer)
        return encoder.pool(encoder.stem(inputs))

    def classify(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(features)
        return scores


class TextHeadClassifier(Classifier):
    """A head that starts as the features of sentences about the classes, on unit image features.

    Before any training it is the zero-shot classifier (Wortsman et al., CVPR 2022, start their heads like this).

    Args:
        encoder: A frozen vision-language model.
        tuning: What of its image half is trained beside the head.
        texts: Unit features of a sentence for each class, (K, D).
        entry: What a batch holds; "features" are unit features.
        seed: Draws the tuning's weights.
    """

    def __init__(self, encoder: DualEncoder, tuning: Tuning, texts: Tensor, *, entry: Entry, seed: int) -> None:
        super().__init__()
        own = own_copy(encoder)
        self._borrowed = (own,)
        self._entry, self._layer = entry, first_layer(encoder, tuning)
        self.attachment = tuning.attach(own, seed=seed)
        self.classes, self.width = texts.shape
        self.head = nn.Parameter(texts.detach().clone())

    def features(self, inputs: Tensor) -> Tensor:
        (encoder,) = self._borrowed
        if self._entry == "features":
            return inputs
        if self._entry == "tokens":
            return encoder.tower(inputs, self._layer)
        return encoder.tower(encoder.stem(inputs))

    def classify(self, features: Tensor) -> Tensor:
        return self._borrowed[0].logit_scale * features @ self.head.T.to(features.dtype)


def own_copy(encoder: DualEncoder) -> DualEncoder:
    """Return a copy of an encoder's image half; the frozen text tower is shared."""
    return copy.deepcopy(encoder, {id(encoder.text): encoder.text})


def seeded_linear(width: int, classes: int, *, seed: int) -> nn.Linear:
    """Return a linear layer with PyTorch's usual initial weights, drawn from a seed of its own."""
    # Without PyTorch's own initialisation, which draws from the global generator.
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, width, classes)
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(width)
    with torch.no_grad():
        for weight in (layer.weight, layer.bias):
            weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)
    return layer
