"""Pictures of more than 8 bits a channel: what their files say of their depth, their range, and their grey values."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deft.data.pixel_rule import FLOAT, SIGNIFICANT, ValueRange
from deft.data.readers import Pixels

STRIP_PIXELS = 1 << 20
"""Pixels that are in memory as wide numbers at once."""

SAMPLED = 1 << 16  # pixels that the range of a picture is taken from, about
OUTLIERS = 0.001  # share of a picture's pixels that may lie above white, and as many below black: dead and hot ones

_BITS_PER_SAMPLE, _MAX_SAMPLE_VALUE, _SAMPLE_FORMAT, _S_MIN, _S_MAX = 258, 281, 339, 340, 341  # TIFF 6.0
_SIXTEEN = ValueRange(0.0, 65535.0)
_STEP = 257  # what one step of the high byte is worth in 16 bits


@dataclass(frozen=True)
class Deep:
    """What is known of a picture of more than 8 bits a channel before its pixels are.

    Args:
        kind: Pictures of one kind share a range.
        stated: Black and white, where the file says.
        colour: Whether it has colours, of which Pillow gives the high byte.
    """

    kind: str
    stated: ValueRange | None = None
    colour: bool = False


class Unmeasured(Exception):
    """A picture of more than 8 bits whose black and white aren't known yet.

    Attributes:
        kind: Kind of the picture.
        measured: The values in it.
    """

    def __init__(self, kind: str, measured: ValueRange) -> None:
        super().__init__(kind)
        self.kind, self.measured = kind, measured


def depth_of(image: Image.Image, data: bytes | None) -> Deep | None:
    """Return what is known of an opened picture's depth; None where it has 8 bits a channel or fewer.

    Args:
        image: Opened, not necessarily loaded.
        data: Its file, where there is one.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return Deep("16 bits a colour", colour=True) if _sixteen_bit_colours(image) else None
    stated = _stated(image)
    if stated is not None:
        return Deep(f"{stated.low:g} to {stated.high:g}", stated)
    if image.mode == "F":
        return Deep(FLOAT)
    if image.mode == "I" and image.format != "PNG":
        return Deep("integer")
    used = _significant_bits(data) if image.format == "PNG" and data is not None else 16
    return Deep("16 bits" if used >= 16 else SIGNIFICANT.format(used))


def measure(image: Image.Image, deep: Deep) -> ValueRange | None:
    """Return the smallest and the largest value of a loaded picture, outliers aside; None if none is finite."""
    step = max(1, int((image.width * image.height / SAMPLED) ** 0.5))
    parts = [_values(strip, deep)[::step, ::step].ravel() for strip in _strips(image)]
    values = np.concatenate(parts).astype(np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low = float(np.quantile(values, OUTLIERS, method="lower"))
    high = float(np.quantile(values, 1 - OUTLIERS, method="higher"))
    if high > low:
        return ValueRange(low, high)
    return ValueRange(float(values.min()), float(values.max()))


def to_grey(strip: Image.Image, black_white: ValueRange) -> Image.Image:
    """Return a deep grey picture with 8 bits; what isn't finite is black.

    Args:
        strip: Small enough for wide numbers.
        black_white: What its numbers mean.
    """
    values = np.asarray(strip).astype(np.float64)
    scale = 255.0 / (black_white.high - black_white.low)
    with np.errstate(over="ignore", invalid="ignore"):
        grey = (values - black_white.low) * scale
    grey[~np.isfinite(values)] = 0.0
    bytes_: Pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return Image.fromarray(bytes_)


def colour_table(black_white: ValueRange) -> list[int] | None:
    """Return what becomes of each high byte of a 16-bit colour; None where nothing changes."""
    if black_white in (_SIXTEEN, ValueRange(0.0, 255.0)):
        return None
    high_bytes = np.arange(256) * float(_STEP)
    scaled = (high_bytes - black_white.low) * (255.0 / (black_white.high - black_white.low))
    return [int(value) for value in np.clip(np.rint(scaled), 0, 255)]


def not_finite(image: Image.Image) -> int:
    """Return how many pixels of a loaded picture are NaN or infinite."""
    if image.mode != "F":
        return 0
    return sum(int((~np.isfinite(np.asarray(strip))).sum()) for strip in _strips(image))


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _values(strip: Image.Image, deep: Deep) -> npt.NDArray[Any]:
    """Return the numbers of a strip, (H, W) or, with colours, (H, W·C)."""
    values = np.asarray(strip)
    if not deep.colour:
        return values
    colours = values if values.ndim == 2 else values[..., : 1 if strip.mode == "LA" else 3]
    return colours.reshape(len(colours), -1).astype(np.float64) * _STEP


def _sixteen_bit_colours(image: Image.Image) -> bool:
    tiles: Any = getattr(image, "tile", [])
    if image.format not in ("PNG", "TIFF", "SGI") or image.mode not in ("RGB", "RGBA", "LA", "RGBX"):
        return False
    return any(";16" in str(tile[3]) for tile in tiles)


def _stated(image: Image.Image) -> ValueRange | None:
    """Return black and white where the format or the file tells them."""
    if image.mode != "F" and image.format in ("PPM", "JPEG2000"):
        return _SIXTEEN  # Pillow scales their numbers by the depth in the header
    tags: Any = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return None
    try:
        return _stated_by_tags(tags, image.mode)
    except (TypeError, ValueError, KeyError, IndexError):  # a damaged tag says nothing
        return None


def _stated_by_tags(tags: Any, mode: str) -> ValueRange | None:
    low, high = (_number(tags.get(tag)) for tag in (_S_MIN, _S_MAX))
    if high is not None and np.isfinite(high) and high > (low or 0.0):
        return ValueRange(float(low or 0.0), float(high))
    bits = _number(tags.get(_BITS_PER_SAMPLE)) or 0
    if mode == "F" or _number(tags.get(_SAMPLE_FORMAT)) not in (None, 1):
        return None
    if 8 < bits < 16:
        return ValueRange(0.0, float(2**bits - 1))
    # The largest value that occurs, by the book; where it is 1023, 4095, ..., it was meant as the depth.
    largest = int(_number(tags.get(_MAX_SAMPLE_VALUE)) or 0)
    if bits == 16 and 255 < largest < 65535 and largest & (largest + 1) == 0:
        return ValueRange(0.0, float(largest))
    return None


def _number(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _significant_bits(data: bytes) -> int:
    """Return the bits of a grey PNG that its sBIT chunk calls significant; 16 without one."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"sBIT" and length and place + 8 < len(data):
            return data[place + 8] if 8 < data[place + 8] < 16 else 16
        place += 12 + length
    return 16
