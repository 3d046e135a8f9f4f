"""Random views of images, computed on whole batches of bytes.

Shapes: B batch, S side of the stored images.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.errors import SettingsError
from deft.training.ahead import sent
from deft.training.photometric import COLOUR_OPERATIONS, Operation

LEVELS = 30  # RandAugment's magnitudes run from 0 to 30


class Augmentation(ABC):
    """Draws a random view of each image of a batch; a frozen value, chosen by its type."""

    @abstractmethod
    def apply(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        """Return one random view of each image.

        Args:
            pixels: uint8, (B, 3, S, S).
            rng: Draws everything that is drawn.

        Returns:
            uint8, (B, 3, S, S), or smaller squares where it cuts them out.
        """

    def apply_to_some(self, pixels: Tensor, rng: np.random.Generator, *, count: int, places: np.ndarray) -> Tensor:
        """Return the views that some images of a batch get when the whole batch does; as many numbers are drawn.

        Args:
            pixels: These images, uint8 (b, 3, S, S).
            rng: Draws everything that is drawn.
            count: Images B of the batch.
            places: Places of these images in it, (b,).
        """
        whole = pixels.new_zeros(count, *pixels.shape[1:])
        whole[places] = pixels
        return self.apply(whole, rng)[places]


@dataclass(frozen=True)
class CropFlip(Augmentation):
    """DeFT's weak view for CIFAR: shift by up to a share of the side, mirror half of the images.

    It pads by reflection, since black borders are foreign to photos of full size.

    Args:
        reach: Largest shift as a share of the side; an eighth is the usual 4 pixels of 32.
    """

    reach: float = 0.125

    def apply(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        return crop_and_flip(pixels, rng, reach=self.reach)

    def apply_to_some(self, pixels: Tensor, rng: np.random.Generator, *, count: int, places: np.ndarray) -> Tensor:
        moves = _moves(rng, count, int(pixels.shape[2] * self.reach))
        return _moved(pixels, *(each[places] for each in moves))


@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """Cut a square out of each image at a random place, and mirror half of the images.

    DeFT's weak view for photos, which are made 256 by 256 before 224 by 224 are cut out.

    Args:
        share: Side of the square as a share of the image's.
    """

    share: float = 224 / 256

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise SettingsError(f"A crop's side is a share of the image's in 0..1, not {self.share}.")

    def apply(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        count, side = len(pixels), cut_side(pixels, self.share)
        down, right = torch.from_numpy(rng.integers(0, pixels.shape[-1] - side + 1, size=(2, count, 1)))
        mirror = torch.from_numpy(rng.random((count, 1)) < 0.5)
        lines, columns = down + torch.arange(side), right + torch.arange(side)
        return picked(pixels, lines, torch.where(mirror, columns.flip(1), columns))


@dataclass(frozen=True)
class ResizedCrop(Augmentation):
    """Cut out a random part of each image, enlarge it to the full side, and mirror half of the images.

    The usual crop for training on photos (Szegedy et al., CVPR 2015).

    Args:
        least: Smallest share of the area that is kept.
        aspect: Largest ratio of the part's sides.
    """

    least: float = 0.5
    aspect: float = 4 / 3

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1 or self.aspect < 1:
            raise SettingsError("A crop keeps a share of the area in 0..1 and has an aspect of at least 1.")

    def apply(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        count = len(pixels)
        area = rng.uniform(self.least, 1.0, count)
        ratio = np.exp(rng.uniform(-math.log(self.aspect), math.log(self.aspect), count))
        wide, high = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
        right, down = rng.uniform(-1, 1, count) * (1 - wide), rng.uniform(-1, 1, count) * (1 - high)
        mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
        matrix = np.zeros((count, 2, 3), np.float32)
        matrix[:, 0, 0], matrix[:, 0, 2] = wide * mirror, right
        matrix[:, 1, 1], matrix[:, 1, 2] = high, down
        return warp(pixels, matrix)


@dataclass(frozen=True)
class RandAugment(Augmentation):
    """The strong view: a weak one, then random operations, then a grey square (Cubuk et al., NeurIPS 2020).

    Each image gets its own operations out of RandAugment's fourteen, with the strengths of its paper; geometric
    ones reflect at the border. The square is Cutout's (DeVries & Taylor 2017).

    Args:
        operations: How many follow on each other.
        magnitude: Their strength, 0 to 30.
        cutout: Side of the square as a share of the image's; 0 leaves it out.
        weak: The view that it starts from.
    """

    operations: int = 2
    magnitude: int = 10
    cutout: float = 0.5
    weak: Augmentation = CropFlip()

    def __post_init__(self) -> None:
        if self.operations < 0 or not 0 <= self.magnitude <= LEVELS or not 0 <= self.cutout <= 1:
            raise SettingsError(f"RandAugment takes a magnitude of 0 to {LEVELS} and a square of 0 to 1.")

    def apply(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        pixels = self.weak.apply(pixels, rng)
        for _ in range(self.operations):
            pixels = self._one(pixels, rng)
        return cutout(pixels, self.cutout, rng) if self.cutout else pixels

    def _one(self, pixels: Tensor, rng: np.random.Generator) -> Tensor:
        """Return one operation for each image; those that drew the same one are computed together."""
        operations = [*_geometric(), *COLOUR_OPERATIONS]
        chosen = rng.integers(len(operations), size=len(pixels))
        sign = np.where(rng.random(len(pixels)) < 0.5, -1.0, 1.0)
        strength = sent(torch.from_numpy((self.magnitude / LEVELS * sign).astype(np.float32)), pixels.device)
        result = pixels.clone()
        for number, operation in enumerate(operations):
            mine = sent(torch.from_numpy(np.flatnonzero(chosen == number)), pixels.device)
            if len(mine):
                result[mine] = operation(pixels[mine], strength[mine])
        return result


def crop_and_flip(pixels: Tensor, rng: np.random.Generator, *, reach: float = 0.125) -> Tensor:
    """Shift each image by up to a share of its side, and mirror half of them, (B, 3, S, S).

    Args:
        pixels: (B, 3, S, S).
        rng: Draws shifts and mirrors.
        reach: Largest shift as a share of the side.
    """
    return _moved(pixels, *_moves(rng, len(pixels), int(pixels.shape[2] * reach)))


def _moves(rng: np.random.Generator, count: int, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return how far each image goes down and right, in pixels, and whether it is mirrored, (count,) each."""
    down, right = torch.from_numpy(rng.integers(-most, most + 1, size=(2, count)))
    return down, right, torch.from_numpy(rng.random(count) < 0.5)


def _moved(pixels: Tensor, down: Tensor, right: Tensor, mirror: Tensor) -> Tensor:
    side = pixels.shape[2]
    lines = _reflect(torch.arange(side) + down[:, None], side)
    columns = _reflect(torch.arange(side) + right[:, None], side)
    return picked(pixels, lines, torch.where(mirror[:, None], columns.flip(1), columns))


def centre_crop(pixels: Tensor, share: float) -> Tensor:
    """Cut a square out of the middle of each image.

    Args:
        pixels: (B, 3, S, S).
        share: Side of the square as a share of S.
    """
    side = cut_side(pixels, share)
    start = (pixels.shape[-1] - side) // 2
    return pixels[:, :, start : start + side, start : start + side]


def cut_side(pixels: Tensor, share: float) -> int:
    """Return the side of a square that is a share of the images' side, at least 1.

    Args:
        pixels: (B, 3, S, S).
        share: Of S.
    """
    return max(1, round(pixels.shape[-1] * share))


def picked(pixels: Tensor, lines: Tensor, columns: Tensor) -> Tensor:
    """Return chosen lines and columns of each image, (B, 3, s, s).

    Args:
        pixels: (B, 3, S, S).
        lines: Which lines, in their order, (B, s).
        columns: Which columns, (B, s).
    """
    image = torch.arange(len(pixels), device=pixels.device).view(-1, 1, 1)
    lines, columns = sent(lines, pixels.device)[:, :, None], sent(columns, pixels.device)[:, None, :]
    return pixels.permute(0, 2, 3, 1)[image, lines, columns].permute(0, 3, 1, 2)


def warp(pixels: Tensor, matrix: np.ndarray) -> Tensor:
    """Sample each image at affinely moved places, bilinearly and with reflected borders.

    Args:
        pixels: uint8, (B, 3, S, S).
        matrix: From places of the result to places of the image, in -1..1, (B, 2, 3).
    """
    if not len(pixels):
        return pixels  # PyTorch has no grid for no image
    moves = sent(torch.from_numpy(matrix), pixels.device)
    grid = F.affine_grid(moves, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels.float(), grid, padding_mode="reflection", align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)


def cutout(pixels: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Cover a square around a random place of each image with mid-grey.

    Args:
        pixels: uint8, (B, 3, S, S).
        share: Side of the square as a share of S; at the border less of it is seen.
        rng: Draws the places.
    """
    count, _, side, _ = pixels.shape
    half = max(1, round(side * share)) / 2
    middle = torch.from_numpy(rng.uniform(0, side, size=(2, count, 1)).astype(np.float32))
    places = torch.arange(side) + 0.5
    down, right = ((places - middle[0]).abs() < half), ((places - middle[1]).abs() < half)
    square = sent((down[:, :, None] & right[:, None, :]).unsqueeze(1), pixels.device)
    return pixels.masked_fill(square, 128)


def _geometric() -> list[Operation]:
    """Return shears, translations and the rotation, each a map of (b, 3, S, S) and strengths (b,) in -1..1."""

    def affine(fill: Callable[[np.ndarray, np.ndarray], None]) -> Operation:
        def operation(pixels: Tensor, strength: Tensor) -> Tensor:
            values = strength.cpu().numpy()
            matrix = np.tile(np.eye(2, 3, dtype=np.float32), (len(values), 1, 1))
            fill(matrix, values)
            return warp(pixels, matrix)

        return operation

    def shear_x(matrix: np.ndarray, value: np.ndarray) -> None:
        matrix[:, 0, 1] = 0.3 * value

    def shear_y(matrix: np.ndarray, value: np.ndarray) -> None:
        matrix[:, 1, 0] = 0.3 * value

    def shift_x(matrix: np.ndarray, value: np.ndarray) -> None:
        matrix[:, 0, 2] = 0.9 * value  # 0.45 of the side, in coordinates that span 2

    def shift_y(matrix: np.ndarray, value: np.ndarray) -> None:
        matrix[:, 1, 2] = 0.9 * value

    def rotate(matrix: np.ndarray, value: np.ndarray) -> None:
        angle = np.deg2rad(30.0) * value
        matrix[:, 0, 0], matrix[:, 0, 1] = np.cos(angle), -np.sin(angle)
        matrix[:, 1, 0], matrix[:, 1, 1] = np.sin(angle), np.cos(angle)

    return [affine(fill) for fill in (shear_x, shear_y, shift_x, shift_y, rotate)]


def _reflect(places: Tensor, side: int) -> Tensor:
    """Return places outside 0 … side − 1 mirrored back inside."""
    if side == 1:
        return torch.zeros_like(places)
    places = places.abs()
    return torch.where(places >= side, 2 * (side - 1) - places, places)
