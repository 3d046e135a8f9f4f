"""The textual classifier: learned prompts for each class, compared with image features (VLPT)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deft.classifiers.base import Classifier
from deft.classifiers.linear import own_copy
from deft.encoders.base import DualEncoder
from deft.prompts.learned import LearnedPrompts
from deft.tuning import Tuning
from deft.tuning.parts import Entry, first_layer


class PromptClassifier(Classifier):
    """Class scores are similarities to learned text prompts (CoOp, Zhou et al., IJCV 2022, Eq. 3).

    With visual prompts as the tuning it is the paper's VLPT, prompts in both towers.

    Args:
        encoder: A frozen vision-language model.
        tuning: What of its image half is trained beside the prompts.
        names: Class names, K of them.
        entry: What a batch holds; "features" are unit features.
        seed: Draws the prompts and the tuning's weights.
        length: Number of context vectors.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        tuning: Tuning,
        names: Sequence[str],
        *,
        entry: Entry,
        seed: int,
        length: int = 16,
    ) -> None:
        super().__init__()
        own = own_copy(encoder)
        self._borrowed = (own,)
        self._entry, self._layer = entry, first_layer(encoder, tuning)
        self.attachment = tuning.attach(own, seed=seed)
        self.prompts = LearnedPrompts(own.text, names, length=length, seed=seed)
        self.classes = len(names)
        self.width = int(self._texts().shape[1])

    def features(self, inputs: Tensor) -> Tensor:
        (encoder,) = self._borrowed
        if self._entry == "features":
            return inputs
        if self._entry == "tokens":
            return encoder.tower(inputs, self._layer)
        return encoder.tower(encoder.stem(inputs))

    def classify(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return self._borrowed[0].logit_scale * features.float() @ self._texts().float().T

    def _texts(self) -> Tensor:
        texts: Tensor = self.prompts(self._borrowed[0].text)
        return texts
