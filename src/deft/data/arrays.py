"""Images that are in memory already: arrays and Pillow images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from deft.data.assemble import SourceRows
from deft.data.decode import upright
from deft.data.readers import ArrayReader, ImageError, Pixels
from deft.errors import DataError

DEEP = (np.dtype(np.uint16), np.dtype(np.int32), np.dtype(np.float32))
"""Types of grey images of more than 8 bits, in memory."""


def from_arrays(source: Any, labels: Sequence[Any]) -> SourceRows:
    """Take images from memory.

    Args:
        source: A uint8 array (N, H, W) or (N, H, W, C) with 1, 3 or 4 channels; a uint16, int32 or float32 array
            (N, H, W) of grey values; or a sequence of Pillow images, of such arrays of single images, or of encoded
            images as bytes.
        labels: One label per image: class names or integers.

    Raises:
        DataError: The shapes, types or lengths don't fit.
    """
    errors: dict[int, str] = {}
    items: Pixels | list[Pixels | bytes | ImageError]
    if isinstance(source, np.ndarray) and source.dtype != object:
        items = _checked(source, "The array", whole=True)
    else:
        items = []
        for row, item in enumerate(source):
            one = _one(item, row)
            items.append(one)
            if isinstance(one, ImageError):
                errors[row] = str(one)
    if len(labels) != len(items):
        raise DataError(f"There are {len(labels)} labels for {len(items)} images.")
    return SourceRows(
        source="The array",
        reader=ArrayReader(items),
        file_name=[f"array#{row}" for row in range(len(items))],
        labels=list(labels),
        errors=errors,
    )


def _one(item: Any, row: int) -> Pixels | bytes | ImageError:
    if isinstance(item, dict) and "bytes" in item:  # as Hugging Face writes them
        item = item["bytes"]
    if item is None:
        return ImageError("no image in this row")
    if isinstance(item, bytes):
        return item
    if isinstance(item, Image.Image):
        try:
            return upright(item)
        except ImageError as error:
            return error
    if isinstance(item, np.ndarray):
        return _checked(item, f"Image {row}", whole=False)
    raise DataError(f"Image {row} is a {type(item).__name__}; expected a Pillow image or a uint8 array.")


def _checked(array: np.ndarray[Any, Any], what: str, *, whole: bool) -> Pixels:
    """Return a uint8 array of images (`whole`) or of one, or say what is wrong with it."""
    expected = "(N, H, W) or (N, H, W, 3)" if whole else "(H, W) or (H, W, 3)"
    spatial = 3 if whole else 2
    if array.ndim not in (spatial, spatial + 1) or (array.ndim > spatial and array.shape[-1] not in (1, 3, 4)):
        raise DataError(f"{what} has shape {array.shape}, expected {expected}.")
    grey = array.ndim == spatial
    if array.dtype != np.uint8 and not (grey and array.dtype in DEEP):
        raise DataError(
            f"{what} has type {array.dtype}, expected uint8 with values from 0 to 255"
            + (", or uint16, int32 or float32." if grey else ".")
        )
    if 0 in array.shape[-2:] or (array.size == 0 and array.shape[0] > 0):
        raise DataError(f"{what} has no pixels: its shape is {array.shape}.")
    return array
