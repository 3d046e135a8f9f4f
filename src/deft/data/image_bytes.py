"""What images are made of, as bytes: their identity by content, and how they become files again."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from deft.data.contents import content_name
from deft.data.readers import ImageError, Pixels

if TYPE_CHECKING:
    from deft.data.images import LabeledImages

_KINDS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"P5", ".pgm"),
    (b"P6", ".ppm"),
    (b"\0\0\0\x0cjP", ".jp2"),
    (b"\xffO\xffQ", ".j2k"),
)


WIDE = (np.dtype(np.int32), np.dtype(np.float32))
"""Types of pixels that PNG doesn't know."""


def content_id(images: LabeledImages, row: int) -> str | None:
    """Return a name for the content of an image, the same wherever its bytes lie; None if it can't be read.

    Args:
        images: Where the image is.
        row: Which one.

    Example:
        >>> content_id(images, 0)  # doctest: +SKIP
        'blake2b:6b1c0a...'
    """
    try:
        content = images.reader.read(int(images.rows[row]))
    except ImageError:
        return None
    return f"blake2b:{content_name(content)}"


def image_file(images: LabeledImages, row: int) -> bytes:
    """Return an image as the content of a file: encoded images as they are, bare pixels as PNG.

    Pixels that are wider than PNG knows become TIFF.

    Args:
        images: Where the image is.
        row: Which one.

    Raises:
        ImageError: It can't be read.
    """
    content = images.reader.read(int(images.rows[row]))
    return content if isinstance(content, bytes) else _file(content)


def image_ending(images: LabeledImages, row: int) -> str:
    """Return the ending that fits the content of an image, `.img` where its kind is unknown.

    Args:
        images: Where the image is.
        row: Which one.

    Raises:
        ImageError: It can't be read.
    """
    content = images.reader.read(int(images.rows[row]))
    if not isinstance(content, bytes):
        return ".tif" if content.dtype in WIDE else ".png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    if content[4:8] == b"ftyp":
        return ".avif" if content[8:12] in (b"avif", b"avis") else ".heic"
    if content.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return ".jxl"
    return next((ending for magic, ending in _KINDS if content.startswith(magic)), ".img")


def _file(pixels: Pixels) -> bytes:
    target = io.BytesIO()
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    Image.fromarray(flat).save(target, "TIFF" if pixels.dtype in WIDE else "PNG")
    return target.getvalue()
