"""What the trunk makes of the training images, computed once and kept in memory-mapped files."""

from __future__ import annotations

import copy
import ctypes
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from deft.encoders.efficientnet_lite import LATE, LATE_CHANNELS, Trunk, through

SIDE = 192
MEAN, STD = 0.498, 0.502
EARLY_SHAPE = (LATE_CHANNELS, SIDE // 32, SIDE // 32)  # of what `Trunk.early` gives
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


VIEWS: dict[str, View] = {"plain": plain, "blurred": blurred}


def shrunk(pixels: Tensor, side: int) -> Tensor:
    """The same pictures as a camera of fewer pixels would show them, enlarged to `SIDE`."""
    return resize(resize(pixels, side), SIDE)


def square(file: Path, side: int = SIDE) -> np.ndarray:
    """The middle square of a photo, (side, side, 3) uint8, as deft reads it."""
    opened = Image.open(file)
    opened.draft("RGB", (side, side))
    image = opened.convert("RGB")
    short, (w, h) = min(image.size), image.size
    box = ((w - short) / 2, (h - short) / 2, (w + short) / 2, (h + short) / 2)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))


def squares(files: Sequence[Path], batch: int = 32) -> Iterator[Tensor]:
    """Values 0..255 of photos at `SIDE`, a batch at a time, (B, 3, SIDE, SIDE)."""
    for start in range(0, len(files), batch):
        pictures = np.stack([square(file) for file in files[start : start + batch]])
        yield torch.from_numpy(pictures).permute(0, 3, 1, 2).float()


def extract(trunk: Trunk, images: np.ndarray, view: View, file: Path, seed: int) -> None:
    """Write, for one view of all images, what leaves the common blocks of the trunk.

    Args:
        trunk: The trunk; a copy of it runs in bfloat16.
        images: (N, H, W, 3) uint8.
        view: What happens to a batch of them first.
        file: Where (N, 192, 6, 6) goes, float16.
        seed: Seed of the view's draws, a batch sharing one crop.
    """
    generator = torch.Generator().manual_seed(seed)
    trunk = copy.deepcopy(trunk).bfloat16()
    parts = (torch.from_numpy(images[i : i + 32].copy()) for i in range(0, len(images), 32))
    views = (view(part.permute(0, 3, 1, 2).float(), generator) for part in parts)
    write(file, len(images), EARLY_SHAPE, (trunk.early(normalise(part).bfloat16()) for part in views))


def extract_photos(trunk: Trunk, files: Sequence[Path], file: Path) -> None:
    """Write what enters the trunk's head, (N, 320, 6, 6) float16, for photos at full size, by the published blocks."""
    trunk = copy.deepcopy(trunk).bfloat16()
    early = (trunk.early(normalise(part).bfloat16()) for part in squares(files))
    write(file, len(files), LATE_SHAPE, (through(trunk.blocks[LATE:], part) for part in early))


def finish(blocks: nn.ModuleList, early: np.ndarray, file: Path) -> None:
    """Write what enters the trunk's head, of what left its common blocks.

    Args:
        blocks: The late blocks for photos or those for small pictures; a copy of them runs in bfloat16.
        early: (N, 192, 6, 6) float16.
        file: Where (N, 320, 6, 6) goes, float16.
    """
    blocks = copy.deepcopy(blocks).bfloat16()
    parts = (torch.from_numpy(early[i : i + 32]).bfloat16() for i in range(0, len(early), 32))
    flat = (part.contiguous(memory_format=torch.channels_last) for part in parts)
    write(file, len(early), LATE_SHAPE, (through(blocks, part) for part in flat))


@torch.inference_mode()
def write(file: Path, count: int, shape: tuple[int, int, int], maps: Iterator[Tensor]) -> None:
    """Keep the maps of all images as they come, small batches, so that activations stay in the processor's cache."""
    partial = file.with_suffix(".part")
    kept = np.lib.format.open_memmap(partial, "w+", np.float16, (count, *shape))
    began, done = time.time(), 0
    for part in maps:
        kept[done : done + len(part)] = part.float().half().numpy()
        done += len(part)
        if done % 12800 == 0 or done == count:
            print(f"  {done}/{count} images, {done / (time.time() - began):.0f}/s", flush=True)
    partial.rename(file)
