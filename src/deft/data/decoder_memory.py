"""What decoders of some formats need on top of a picture's RGB bytes, kept within half a gigabyte.

Pictures are decoded no larger than need be where the format can (JPEG, JPEG 2000); others that would need more are
refused with the reason.
"""

from __future__ import annotations

from PIL import Image

from deft.data.pixel_rule import MAX_PIXELS, PixelRule
from deft.data.readers import ImageError, Pixels

MOST_BYTES = 500_000_000
"""Bytes that a decoder may take on top of a picture's RGB bytes, where `max_pixels` isn't raised."""

BYTES_A_PIXEL = {"WEBP": 13.1, "JPEG2000": 16.5, "AVIF": 6.5, "progressive JPEG": 3.2}
"""What decoders take on top of 3 bytes a pixel: `python benchmarks/pixel_memory.py --side 4000`."""

LARGE = 1 << 24
"""Pixels of a JPEG 2000 picture from which it is halved while it is decoded."""

_SOC, _COD, _SOT = b"\xff\x4f\xff\x51", 0xFF52, 0xFF90  # markers of JPEG 2000, ISO/IEC 15444-1, annex A


def draft(image: Image.Image, data: bytes | Pixels, enough: tuple[int, int]) -> None:
    """Have a picture decoded no larger than need be, where its format can.

    A halved JPEG 2000 picture lies up to half a pixel beside the whole one, so only large ones are, and no more often
    than their memory asks for.

    Args:
        image: Opened, not loaded.
        data: Its file.
        enough: Width and height from which a reduction loses nothing.
    """
    if image.format == "JPEG2000" and isinstance(data, bytes):
        can = min(max(length // aim, 1).bit_length() - 1 for length, aim in zip(image.size, enough, strict=True))
        need = next(times for times in range(32) if image.width * image.height >> 2 * times <= LARGE)
        image.reduce = min(can, need, _levels(data))  # type: ignore[method-assign, assignment]
    else:
        image.draft(image.mode, enough)


def check_memory(image: Image.Image, rule: PixelRule) -> None:
    """Refuse a picture whose decoder would need too much memory.

    Args:
        image: Opened, with what `draft` set, not loaded.
        rule: Its `max_pixels` raises the limit in proportion.

    Raises:
        ImageError: It would.
    """
    kind = "progressive JPEG" if image.format == "JPEG" and image.info.get("progressive") else str(image.format)
    if kind not in BYTES_A_PIXEL:
        return
    reduced = getattr(image, "_reduce", 0) or 0
    pixels = image.width * image.height >> 2 * reduced
    most = int(MOST_BYTES / BYTES_A_PIXEL[kind] * max(1.0, rule.max_pixels / MAX_PIXELS))
    if pixels > most:
        raise ImageError(
            f"too large: {image.width} x {image.height} pixels, but a {kind} file is decoded in memory that allows for "
            f"{most} in all (more with a higher max_pixels=)"
        )


def _levels(data: bytes) -> int:
    """Return how often a JPEG 2000 picture can be halved while it is decoded, as its header says."""
    place = data.find(_SOC) + 2
    while 2 <= place <= len(data) - 12:
        marker = int.from_bytes(data[place : place + 2], "big")
        if marker == _COD:
            return min(data[place + 9], 32)
        if marker == _SOT or marker < 0xFF00:
            return 0
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0
