"""Tells one set of weights from another."""

from __future__ import annotations

import hashlib

from torch import nn


def encoder_fingerprint(encoder: nn.Module) -> str:
    """Short hash of an encoder's weights: names, shapes, and the first and last values of each."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(encoder.state_dict().items()):
        flat = value.detach().float().flatten()
        digest.update(f"{name} {tuple(value.shape)} {flat[:4].tolist()} {flat[-4:].tolist()}".encode())
    return digest.hexdigest()
