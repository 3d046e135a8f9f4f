"""From an encoded image, however odd, to a small square of red, green and blue; or to a reason why not."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from deft.data.image_spec import ImageSpec
from deft.data.readers import ImageError, Pixels, one_line

LARGEST_IMAGE = 178_956_970
"""Pixels; a larger image is taken for a decompression bomb and never decoded (Pillow's own limit)."""

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}


def decode(data: bytes | Pixels, spec: ImageSpec, side: int) -> Pixels:
    """Return the image upright, on white where it is transparent, as uint8 (side, side, 3).

    Args:
        data: An encoded image, or its pixels.
        spec: How it becomes a square, and the filter of the resize.
        side: Side of the square; `spec.size` is not looked at.

    Raises:
        ImageError: With the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow on odd EXIF and palettes: no news to anyone
            image = _open(data)
            image.draft(image.mode, _enough(image.size, spec, side))
            image.load()
            square = _square(image, spec, side)
            turn = _UPRIGHT.get(_orientation(image))
            return np.array(square if turn is None else square.transpose(turn), dtype=np.uint8)
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything: OSError, SyntaxError, struct.error, ...
        raise ImageError(_reason(error)) from error


def whole(data: bytes | Pixels, side: int) -> Pixels:
    """Return an image with nothing cut off, upright, on white where it is transparent, as uint8 (h, w, 3).

    Args:
        data: An encoded image, or its pixels.
        side: The longer of h and w, at the most; a smaller image keeps its size.

    Raises:
        ImageError: With the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _open(data)
            image.draft(image.mode, (2 * side, 2 * side))
            image.load()
            scale = min(1.0, side / max(image.size))
            small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            colours = _to_rgb(image)
            colours = colours if small == colours.size else colours.resize(small, Image.Resampling.BICUBIC)
            turn = _UPRIGHT.get(_orientation(image))
            return np.array(colours if turn is None else colours.transpose(turn), dtype=np.uint8)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(_reason(error)) from error


def shorter_side(data: bytes | Pixels) -> int:
    """Return the length of an image's shorter side from its header alone; 0 where there is none."""
    size = sides(data)
    return 0 if size is None else min(size)


def sides(data: bytes | Pixels) -> tuple[int, int] | None:
    """Return an image's width and height from its header alone; None where there is none."""
    if isinstance(data, np.ndarray):
        return int(data.shape[1]), int(data.shape[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _open(data).size
    except Exception:  # decode says why, when its turn comes
        return None


def upright(image: Image.Image) -> Pixels:
    """Return a Pillow image at its own size as uint8 (H, W, 3), upright and on white.

    Raises:
        ImageError: With the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            colours = _to_rgb(image)
            return np.array(colours if turn is None else colours.transpose(turn), dtype=np.uint8)
    except Exception as error:
        raise ImageError(_reason(error)) from error


def _open(data: bytes | Pixels) -> Image.Image:
    if isinstance(data, np.ndarray):
        return Image.fromarray(data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data)
    if not data:
        raise ImageError("empty file")
    try:
        image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise ImageError(f"too large: {one_line(error)}") from error
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(data)) from error
    width, height = image.size
    if width * height > LARGEST_IMAGE:
        raise ImageError(f"too large: {width} x {height} pixels, at most {LARGEST_IMAGE} in all are decoded")
    if width < 1 or height < 1:
        raise ImageError(f"damaged: a size of {width} x {height}")
    return image


def _unidentified(data: bytes) -> str:
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return f"truncated: a {kind} file of {len(data)} bytes without a whole header"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC image, which Pillow can't read: convert it to JPEG"
    if not any(data[:4096]):
        return "not an image (all zeros)"
    start = data[:24].decode("utf-8", "ignore").splitlines()[0].strip()
    if start.isprintable() and len(start) > 3:
        return f"not an image (starts with '{start}')"
    return f"not an image (starts with the bytes {data[:8].hex(' ')})"


def _reason(error: Exception) -> str:
    text = one_line(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {text}"
    if isinstance(error, EOFError) or re.search("truncated|broken data", text.lower()):
        return f"truncated: {text}"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    return f"damaged: {text}"


def _enough(size: tuple[int, int], spec: ImageSpec, side: int) -> tuple[int, int]:
    """Return a size from which a reduction to `side` loses nothing: twice it, in the image's own shape."""
    if spec.fit == "squash":
        return 2 * side, 2 * side
    shorter = min(size)
    return tuple(max(1, min(length, length * 2 * side // shorter)) for length in size)  # type: ignore[return-value]


def _square(image: Image.Image, spec: ImageSpec, side: int) -> Image.Image:
    chosen = _FILTERS[spec.interpolation]
    width, height = image.size
    if spec.fit == "crop":  # cropped first: a strip of 1 x 100 000 never becomes one of 224 x 22 400 000
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        box = (left, top, left + edge, top + edge)
        if image.mode == "RGB" and "transparency" not in image.info:
            return image.resize((side, side), chosen, box=box)
        return _to_rgb(image.crop(box)).resize((side, side), chosen)
    colours = _to_rgb(image)
    if width < side < height:  # the long side first, for the same reason
        colours = colours.resize((width, side), chosen)
    elif height < side < width:
        colours = colours.resize((side, height), chosen)
    return colours.resize((side, side), chosen)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(values: npt.NDArray[Any]) -> Pixels:
    """Scale grey values of more than 8 bits: by the range of their type where it is known."""
    numbers: npt.NDArray[np.float64] = np.nan_to_num(values.astype(np.float64))
    low, high = float(numbers.min()), float(numbers.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        numbers = numbers * 255
    elif values.dtype.itemsize == 2 or (low >= 0 and 255 < high <= 65535):
        numbers = numbers / 257
    elif low < 0 or high > 255:
        numbers = (numbers - low) * (255 / max(high - low, 1e-12))
    scaled: Pixels = np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
    return scaled


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose the picture
        return 1
