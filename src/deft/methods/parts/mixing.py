"""Pairs of samples mixed into one: mixup and FMix, with their targets.

Shapes: b samples, K classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FMIX_DECAY = 3.0
FMIX_ALPHA = 1.0


def draw_share(alpha: float, rng: np.random.Generator) -> float:
    """Return λ ~ Beta(α, α), or 1 − λ if larger, so that a mixture stays closer to its first part (MixMatch, Eq. 9).

    Args:
        alpha: Parameter of the distribution; 0 mixes nothing.
        rng: Draws λ.

    Returns:
        0.5..1.
    """
    share = float(rng.beta(alpha, alpha)) if alpha > 0 else 1.0
    return max(share, 1 - share)


def interpolate(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return λ·first + (1 − λ)·second."""
    return share * first + (1 - share) * second


def mixup(inputs: Tensor, targets: Tensor, *, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mix every sample with another of the same batch, by one λ for all (Zhang et al., ICLR 2018, Eq. 1).

    Pixels, tokens and features of images can all be mixed; on the latter two it is a manifold mixup.

    Args:
        inputs: (b, ...).
        targets: Probabilities, (b, K).
        alpha: Parameter of λ's distribution.
        rng: Draws λ and the partners.

    Returns:
        Mixed inputs and targets, in the same shapes and order.
    """
    share, partner = draw_share(alpha, rng), _partners(inputs, rng)
    return interpolate(inputs, inputs[partner], share), interpolate(targets, targets[partner], share)


def fmix(inputs: Tensor, targets: Tensor, *, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Replace a random blob of every image by the same place of another (FMix, Harris et al. 2020).

    One blob serves a batch. Targets are mixed by the share of pixels that was really left. Soft targets stay soft:
    ProMix's code casts them to integers. Inputs that have no two sides, as tokens and features, get a mixup with a
    uniform λ in its place.

    Args:
        inputs: (b, C, H, W), or others for mixup.
        targets: Probabilities, (b, K).
        rng: Draws mask and partners.

    Returns:
        Mixed inputs and targets, in the same shapes and order.
    """
    if inputs.ndim != 4:
        return mixup(inputs, targets, alpha=FMIX_ALPHA, rng=rng)
    height, width = inputs.shape[2:]
    mask = fmix_mask(height, width, float(rng.beta(FMIX_ALPHA, FMIX_ALPHA)), rng)
    partner = _partners(inputs, rng)
    keep = torch.from_numpy(mask).to(inputs.device)
    return torch.where(keep, inputs, inputs[partner]), interpolate(targets, targets[partner], float(mask.mean()))


def fmix_mask(
    height: int, width: int, share: float, rng: np.random.Generator, *, decay: float = FMIX_DECAY
) -> np.ndarray:
    """Return a random binary mask of few, large blobs, for images of any size (Harris et al. 2020).

    Noise whose spectrum falls as 1/f^decay, cut where the wanted share of the pixels is above.

    Args:
        height: Height of the images.
        width: Width of the images.
        share: Share of the pixels that are set, 0..1.
        rng: Draws the noise.
        decay: Larger gives smoother blobs.

    Returns:
        bool, (height, width).
    """
    down = np.fft.fftfreq(height)[:, None]
    right = np.fft.rfftfreq(width)[None, :]
    frequency = np.maximum(np.hypot(down, right), 1 / max(height, width))
    real, imaginary = rng.normal(size=(2, *frequency.shape))
    grey = np.fft.irfft2((real + 1j * imaginary) / frequency**decay, s=(height, width))
    mask = np.zeros(height * width, dtype=np.bool_)
    mask[np.argsort(-grey, axis=None, kind="stable")[: round(share * height * width)]] = True
    return mask.reshape(height, width)


def _partners(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Return a random order of a batch."""
    return torch.from_numpy(rng.permutation(len(inputs))).to(inputs.device)
