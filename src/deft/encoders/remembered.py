"""A frozen stem that is asked for the same batches again and again, as by several detectors in one process."""

from __future__ import annotations

from hashlib import sha256
from typing import TypeVar

import torch
from torch import Tensor

from deft.encoders.base import DualEncoder

Encoder = TypeVar("Encoder", bound=DualEncoder)


def remember_stem(encoder: Encoder) -> Encoder:
    """Return the same encoder, whose stem from now on computes each batch once, and keeps what it gave in memory.

    What is remembered is what would be computed, bit for bit. It is meant for a few thousand images: nothing is
    forgotten as long as the encoder is there.

    Args:
        encoder: Frozen; what is remembered wouldn't follow a stem that learns.

    Example:
        >>> encoder = remember_stem(load_encoder("tiny"))  # doctest: +SKIP
    """
    stem, known = encoder.stem, dict[tuple[object, ...], Tensor]()

    def remembered(pixels: Tensor) -> Tensor:
        device = pixels.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else pixels.dtype
        key = (sha256(pixels.contiguous().cpu().numpy().data).digest(), tuple(pixels.shape), dtype)
        if key not in known:
            known[key] = stem(pixels).detach()
        return known[key]

    encoder.stem = remembered  # type: ignore[method-assign]
    return encoder
