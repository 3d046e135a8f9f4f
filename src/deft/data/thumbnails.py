"""Small pictures of images for people to look at, whatever form the images come in."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image

from deft.data.decode import sides, whole
from deft.data.images import LabeledImages
from deft.data.readers import ImageError
from deft.errors import DataError

SMALL = 48  # pixels; so small an image is kept without loss where the format can
QUALITY = 72  # of WebP and JPEG; below it, skies and skin show blocks


def thumbnail(images: LabeledImages, row: int, *, side: int, format: Literal["WEBP", "JPEG", "PNG"] = "WEBP") -> bytes:
    """Return an image as a small file: whole, upright, with the colours that a detector sees.

    Args:
        images: Where the image is.
        row: Which one.
        side: The longer side in pixels, at the most; a smaller image keeps its size.
        format: Format of the file.

    Returns:
        The file, without any of the original's metadata.

    Raises:
        DataError: The image can't be read; the message names it and the reason.

    Example:
        >>> thumbnail(images, 0, side=128)[8:12]  # doctest: +SKIP
        b'WEBP'
    """
    number = int(images.rows[row])
    try:
        pixels = whole(images.reader.read(number), side, images.pixels)
    except ImageError as error:
        raise DataError(f"{images.file_name[row]}: {error}") from error
    return _encode(pixels, format)


def image_size(images: LabeledImages, row: int) -> tuple[int, int] | None:
    """Return width and height of an image as its header has them; None where there is no image.

    Args:
        images: Where the image is.
        row: Which one.
    """
    try:
        return sides(images.reader.read(int(images.rows[row])), images.pixels)
    except ImageError:
        return None


def _encode(pixels: np.ndarray, format: str) -> bytes:
    target = io.BytesIO()
    # Nothing is to be gained, but grey becomes pink, where a whole image is hardly more than one block.
    lossless = max(pixels.shape[:2]) <= SMALL
    Image.fromarray(pixels).save(target, format=format, quality=QUALITY, lossless=lossless)
    return target.getvalue()
