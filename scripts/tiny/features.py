"""Trunk features of the training images, computed once and kept in memory-mapped files."""

from __future__ import annotations

import copy
import ctypes
import io
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from deft.encoders.efficientnet_lite import Trunk

SIDE = 160
MEAN, STD = 0.498, 0.502
EARLY = 11  # blocks of the trunk that stay as ImageNet made them
EARLY_SHAPE = (112, SIDE // 16, SIDE // 16)  # of what leaves them
LATE_SHAPE = (320, SIDE // 32, SIDE // 32)  # of what enters the trunk's head

View = Callable[[Tensor, torch.Generator], Tensor]


def calm_malloc() -> None:
    """Keep freed memory in the process: returning it costs 80 % of a convolution's time on some hosts."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def decode(files: list[Path], label: str) -> tuple[np.ndarray, list[str]]:
    """All images of some Parquet files, (N, H, W, 3) uint8, and the values of their label column."""
    images: list[np.ndarray] = []
    labels: list[str] = []
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(2000, columns=["image", label]):
            cells = batch["image"].to_pylist()
            images += [np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in cells]
            labels += batch[label].to_pylist()
    return np.stack(images), labels


def resize(pixels: Tensor, side: int) -> Tensor:
    """Bicubic resize with antialiasing of values 0..255, (B, 3, side, side)."""
    return F.interpolate(pixels, size=(side, side), mode="bicubic", align_corners=False, antialias=True).clamp_(0, 255)


def normalise(pixels: Tensor) -> Tensor:
    """Values 0..255 to what the trunk was trained on."""
    return (pixels / 255 - MEAN) / STD


def plain(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The image as it is."""
    return resize(pixels, SIDE)


def cropped(pixels: Tensor, generator: torch.Generator, least: float = 0.45, through: int = 0) -> Tensor:
    """One random crop for a small batch, mirrored at random, contrast and brightness shifted.

    Args:
        pixels: Values 0..255, (B, 3, H, H).
        generator: Source of the draws.
        least: Smallest share of the area that is kept.
        through: Side to which the crop is shrunk first; 0 leaves that out.
    """
    height = pixels.shape[-1]
    draw = torch.rand(6, generator=generator).tolist()
    area = least + (1 - least) * draw[0]
    aspect = (0.8 + 0.45 * draw[1]) ** 0.5
    h = min(height, max(8, round(height * area**0.5 * aspect)))
    w = min(height, max(8, round(height * area**0.5 / aspect)))
    top, left = int(draw[2] * (height - h + 1)), int(draw[3] * (height - w + 1))
    pixels = pixels[..., top : top + h, left : left + w]
    mirror = torch.rand(len(pixels), generator=generator) < 0.5
    pixels = torch.where(mirror[:, None, None, None], pixels.flip(-1), pixels)
    if through:
        pixels = resize(pixels, through)
    pixels = resize(pixels, SIDE)
    centre = pixels.mean((1, 2, 3), keepdim=True)
    pixels = (pixels - centre) * (0.75 + 0.5 * draw[4]) + centre * (0.8 + 0.4 * draw[5])
    return pixels.clamp_(0, 255)


def blurred(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A crop through 32 pixels: what a CIFAR photo keeps of a scene."""
    return cropped(pixels, generator, least=0.6, through=32)


VIEWS: dict[str, View] = {"plain": plain, "blurred": blurred, "blurred again": blurred}


def extract(trunk: Trunk, images: np.ndarray, view: View, file: Path, seed: int) -> None:
    """Write, for one view of all images, what leaves the early blocks of the trunk.

    Args:
        trunk: The trunk; a copy of it runs in bfloat16.
        images: (N, H, W, 3) uint8.
        view: What happens to a batch of them first.
        file: Where (N, 112, 10, 10) goes, float16.
        seed: Seed of the view's draws, a batch sharing one crop.
    """
    generator = torch.Generator().manual_seed(seed)
    trunk = copy.deepcopy(trunk).bfloat16()

    def early(rows: slice) -> Tensor:
        pixels = view(torch.from_numpy(images[rows].copy()).permute(0, 3, 1, 2).float(), generator)
        maps = normalise(pixels).bfloat16().contiguous(memory_format=torch.channels_last)
        return through(trunk.blocks[:EARLY], F.relu6(trunk.first(maps)))

    write(file, len(images), EARLY_SHAPE, early)


def finish(trunk: Trunk, early: np.ndarray, file: Path) -> None:
    """Write what enters the trunk's head, of what left its early blocks.

    Args:
        trunk: The trunk; a copy of it runs in bfloat16.
        early: (N, 112, 10, 10) float16.
        file: Where (N, 320, 5, 5) goes, float16.
    """
    trunk = copy.deepcopy(trunk).bfloat16()

    def late(rows: slice) -> Tensor:
        maps = torch.from_numpy(early[rows]).bfloat16().contiguous(memory_format=torch.channels_last)
        return through(trunk.blocks[EARLY:], maps)

    write(file, len(early), LATE_SHAPE, late)


def through(blocks: Iterable[nn.Module], maps: Tensor) -> Tensor:
    """Maps after some blocks, one after the other."""
    for block in blocks:
        maps = block(maps)
    return maps


@torch.inference_mode()
def write(
    file: Path, count: int, shape: tuple[int, int, int], compute: Callable[[slice], Tensor], batch: int = 32
) -> None:
    """Compute maps of all images, a small batch at a time, so that activations stay in the processor's cache."""
    partial = file.with_suffix(".part")
    kept = np.lib.format.open_memmap(partial, "w+", np.float16, (count, *shape))
    began = time.time()
    for start in range(0, count, batch):
        rows = slice(start, min(start + batch, count))
        kept[rows] = compute(rows).float().half().numpy()
        if start % 12800 == 0:
            print(f"  {rows.stop}/{count} images, {rows.stop / (time.time() - began):.0f}/s", flush=True)
    partial.rename(file)
