"""What deft asks of a vision-language model: two towers that meet in one space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deft.data.image_spec import ImageSpec
from deft.data.preprocessing import Preprocessing
from deft.encoders.text import TextTower


class DualEncoder(nn.Module, ABC):
    """An image tower and a text tower in one space; frozen and in evaluation mode unless a tuning says otherwise.

    The image tower is a stem (pixels to tokens) and a stack of transformer `layers`, each a `Block` that maps
    (B, L, W) to (B, L, W). Tunings hook onto the layers and need to know nothing else, so tokens that they append
    must pass through: `tower` hands whatever sequence it gets to the layers, and reads its result only from the
    tokens that it knows. It may ask the last layer for these alone.

    Attributes:
        name: What the model is called in tables and saved settings: a hub id, "tiny" or a folder.
        spec: The pixels that it expects.
        text: Its text tower.
        preprocessing: How photos become its pixels, where that isn't its own way; for `adapt` alone.

    Example:
        >>> encoder = load_encoder("tiny")  # doctest: +SKIP
        >>> sims = encoder.encode_images(pixels) @ encoder.encode_texts(["a photo of a cat."]).T  # doctest: +SKIP
    """

    name: str
    spec: ImageSpec
    text: TextTower
    preprocessing: Preprocessing | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    @abstractmethod
    def layers(self) -> nn.ModuleList:
        """Transformer layers of the image tower, in order; each a `deft.encoders.block.Block`."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Width W of the tokens between the layers."""

    @property
    @abstractmethod
    def patch_size(self) -> int:
        """Side in pixels of the square that one image token is made from."""

    @property
    @abstractmethod
    def visual(self) -> nn.Module:
        """All of the image tower: the module whose parameters full fine-tuning trains."""

    @property
    @abstractmethod
    def logit_scale(self) -> Tensor:
        """Inverse temperature 1/τ of the similarities, a scalar (CLIP: 100)."""

    @property
    @abstractmethod
    def heavy_stem(self) -> bool:
        """Whether the stem costs enough that its tokens are worth keeping on disk between epochs."""

    @abstractmethod
    def stem(self, pixels: Tensor) -> Tensor:
        """Return the tokens that enter the first layer.

        Args:
            pixels: Normalised images, (B, 3, H, W).

        Returns:
            Tokens, (B, L, W).
        """

    @abstractmethod
    def pool(self, tokens: Tensor, layer: int = 0) -> Tensor:
        """Return one vector for each image, from before the joint space.

        It is what linear heads are trained on: CLIP's class token after the last norm.

        Args:
            tokens: What enters a layer, (B, L, W).
            layer: Number of that layer.

        Returns:
            Pooled vectors, (B, P).
        """

    @property
    @abstractmethod
    def pooled_width(self) -> int:
        """Width P of what `pool` gives."""

    @abstractmethod
    def project(self, pooled: Tensor) -> Tensor:
        """Return pooled vectors in the joint space, not normalised.

        Args:
            pooled: What `pool` gives, (B, P).

        Returns:
            Features of any length, (B, D).
        """

    def enter(self, pixels: Tensor, layer: int) -> Tensor:
        """Return the tokens that enter a layer.

        Args:
            pixels: Normalised images, (B, 3, H, W).
            layer: Number of the layer, from 0.

        Returns:
            Tokens, (B, L, W).
        """
        tokens = self.stem(pixels)
        for before in list(self.layers)[:layer]:
            tokens = before(tokens)
        return tokens

    def tower(self, tokens: Tensor, layer: int = 0) -> Tensor:
        """Return unit features of images whose tokens are at hand.

        Args:
            tokens: What enters a layer, (B, L, W).
            layer: Number of that layer.

        Returns:
            Features of length one, (B, D).
        """
        return F.normalize(self.project(self.pool(tokens, layer)), dim=-1)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Return unit features of images.

        Args:
            pixels: Normalised images, (B, 3, H, W).

        Returns:
            Features of length one, (B, D).
        """
        return self.tower(self.stem(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Return unit features of sentences.

        Args:
            texts: The sentences, K of them.

        Returns:
            Features of length one, (K, D).
        """
        return self.text.encode_texts(texts)
