"""RandAugment's operations on colours, each on a batch of bytes at once.

Every operation maps uint8 images (B, 3, S, S) and strengths (B,) in -1..1 to uint8 images; the strengths at full
scale are those of Cubuk et al. (NeurIPS 2020), as in AutoAugment's table.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Operation = Callable[[Tensor, Tensor], Tensor]

GREY = (0.299, 0.587, 0.114)  # of red, green and blue in luminance, as Pillow weighs them


def identity(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the image itself."""
    return pixels


def auto_contrast(pixels: Tensor, strength: Tensor) -> Tensor:
    """Stretch each channel to 0..255."""
    values = pixels.float()
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    stretched = (values - low) * 255 / (high - low).clamp(min=1)
    return _bytes(torch.where(high > low, stretched, values))


def equalize(pixels: Tensor, strength: Tensor) -> Tensor:
    """Make the histogram of each channel flat."""
    count, channels, side, _ = pixels.shape
    flat = pixels.reshape(count * channels, -1).long()
    histogram = torch.zeros(len(flat), 256, device=pixels.device).scatter_add_(1, flat, torch.ones_like(flat).float())
    total = histogram.cumsum(1)
    # The darkest value that occurs stays black, as in Pillow.
    darkest = histogram.gather(1, (histogram > 0).float().argmax(1, keepdim=True))
    span = (side * side - darkest).clamp(min=1)
    table = ((total - darkest) * 255 / span).clamp(min=0)
    return _bytes(table.gather(1, flat).view_as(pixels))


def posterize(pixels: Tensor, strength: Tensor) -> Tensor:
    """Keep the upper 8 to 4 bits of each value."""
    dropped = (4 * strength.abs()).round().to(torch.uint8).view(-1, 1, 1, 1)
    return (pixels >> dropped) << dropped


def solarize(pixels: Tensor, strength: Tensor) -> Tensor:
    """Invert the values above a threshold, which falls with the strength."""
    border = (256 * (1 - strength.abs())).view(-1, 1, 1, 1)
    return torch.where(pixels.float() >= border, 255 - pixels, pixels)


def colour(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the image with more or less saturation."""
    return _blend(_luminance(pixels), pixels, strength)


def contrast(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the image with more or less distance from the mean luminance."""
    return _blend(_luminance(pixels).mean((2, 3), keepdim=True), pixels, strength)


def brightness(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the image lighter or darker."""
    return _blend(torch.zeros(1, device=pixels.device), pixels, strength)


def sharpness(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the image sharper or smoother, by Pillow's 3 x 3 filter."""
    kernel = torch.ones(3, 3, device=pixels.device)
    kernel[1, 1] = 5
    weight = (kernel / 13).expand(3, 1, 3, 3)
    padded = F.pad(pixels.float(), (1, 1, 1, 1), mode="replicate")
    return _blend(F.conv2d(padded, weight, groups=3), pixels, strength)


COLOUR_OPERATIONS: tuple[Operation, ...] = (
    identity,
    auto_contrast,
    equalize,
    posterize,
    solarize,
    colour,
    contrast,
    brightness,
    sharpness,
)


def _luminance(pixels: Tensor) -> Tensor:
    weights = torch.tensor(GREY, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.float() * weights).sum(1, keepdim=True)


def _blend(other: Tensor, pixels: Tensor, strength: Tensor) -> Tensor:
    """Return a blend between `other` (factor 0) and the image (1), or beyond; the factor is 1 + 0.9 of the strength."""
    factor = (1 + 0.9 * strength).view(-1, 1, 1, 1)
    return _bytes(other + factor * (pixels.float() - other))


def _bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
