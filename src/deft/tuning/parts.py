"""Where a tuning cuts a vision-language model's image half: what stays as it is, and what runs in every step.

Shapes: B batch, S side of the images, L tokens, W width of the tokens, D width of the joint space.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from deft.encoders.base import DualEncoder
from deft.training.checkpoint import encoder_fingerprint
from deft.training.inputs import FrozenPart
from deft.tuning.base import Tuning

Entry = Literal["pixels", "tokens", "features"]
"""What a batch holds: images, the tokens that enter the first layer that learns, or the features that a head reads."""
Features = Literal["joint", "pooled"]
"""What is kept where the image half stays as it is: unit features (B, D), or what they are projected from, (B, P)."""


def entry_of(encoder: DualEncoder, tuning: Tuning) -> Entry:
    """Return where training begins.

    Args:
        encoder: The model.
        tuning: What of it is trained; tokens are kept where what gives them costs enough, a heavy stem or a layer, and
            stays as it is.

    Raises:
        SettingsError: The tuning wants more layers than there are.
    """
    if not tuning.changes_images:
        return "features"
    costly = encoder.heavy_stem or first_layer(encoder, tuning) > 0
    return "tokens" if costly and not tuning.changes_stem else "pixels"


def first_layer(encoder: DualEncoder, tuning: Tuning) -> int:
    """Return the number of the layer that kept tokens enter: the first one that learns.

    Args:
        encoder: The model.
        tuning: What of it is trained.
    """
    return tuning.first_layer(len(encoder.layers))


def frozen_part(encoder: DualEncoder, tuning: Tuning, features: Features = "joint") -> FrozenPart:
    """Return what is computed once per image for a detector: tokens, or features of the plain view.

    Args:
        encoder: The model.
        tuning: What of it is trained.
        features: Which features, where the image half stays as it is.
    """
    match entry_of(encoder, tuning):
        case "features":
            compute = (
                encoder.encode_images if features == "joint" else lambda pixels: encoder.pool(encoder.stem(pixels))
            )
            return FrozenPart(encoder.spec, encoder.device, compute, augmented=False, identity=named(encoder, features))
        case "tokens":
            layer = first_layer(encoder, tuning)
            name = named(encoder, f"tokens of layer {layer}" if layer else "tokens")
            return FrozenPart(encoder.spec, encoder.device, partial(encoder.enter, layer=layer), identity=name)
        case _:
            return FrozenPart(encoder.spec, encoder.device)


def named(encoder: DualEncoder, what: str) -> Callable[[], str]:
    """Return what names an untouched encoder's outputs among all encoders' (`FrozenPart.identity`).

    Args:
        encoder: The model.
        what: Which of its outputs.
    """
    return lambda: f"{what} {encoder_fingerprint(encoder)}"


def trained_part(encoder: DualEncoder, tuning: Tuning, features: Features = "joint") -> Callable[[Tensor], Tensor]:
    """Return what gives unit features (B, D) of what a batch holds.

    Args:
        encoder: The model.
        tuning: What of it is trained.
        features: Which features were kept, where the image half stays as it is.
    """
    match entry_of(encoder, tuning):
        case "features":
            return _as_they_are if features == "joint" else lambda pooled: F.normalize(encoder.project(pooled), dim=-1)
        case "tokens":
            return partial(encoder.tower, layer=first_layer(encoder, tuning))
        case _:
            return encoder.encode_images


def _as_they_are(features: Tensor) -> Tensor:
    return features
