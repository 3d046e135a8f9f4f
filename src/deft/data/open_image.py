"""Opening an encoded image with Pillow: its header, what is too large, and true reasons where it can't be read."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from deft.data.depth import Unmeasured
from deft.data.pixel_rule import PixelRule
from deft.data.readers import ImageError, Pixels, one_line
from deft.wording import counted

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
_END = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_EPS = (b"%!PS", b"\xc5\xd0\xd3\xc6")
_BANDS, _BITS, _COMPRESSION, _SAMPLE_FORMAT = 277, 258, 259, 339  # TIFF 6.0
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF, 0xF7}  # start-of-frame markers of JPEGs without loss
_FORMATS = "pip install 'deft-labels[formats]'"

_bombs = threading.Lock()
_standard_error = threading.Lock()


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Keep Pillow's warnings quiet, and turn whatever a decoder raises into an `ImageError` with its reason."""
    logger = logging.getLogger("PIL")
    if not logger.handlers:  # without any, Python prints Pillow's errors, which name no file
        logger.addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd EXIF and palettes: no news to anyone
            yield
    except (ImageError, Unmeasured):
        raise
    except Exception as error:  # decoders raise nearly anything: OSError, SyntaxError, struct.error, ...
        raise ImageError(_reason(error)) from error


def open_image(data: bytes | Pixels, rule: PixelRule) -> Image.Image:
    """Return an image whose header is read, and whose pixels aren't.

    Args:
        data: An encoded image, or its pixels.
        rule: Says what is too large.

    Raises:
        ImageError: With the reason.
    """
    if isinstance(data, np.ndarray):
        return Image.fromarray(data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data)
    if not data:
        raise ImageError("empty file")
    _know_format(data)
    try:
        with _without_a_limit(rule):
            image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise ImageError(f"too large: {one_line(error)}") from error
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(data)) from error
    width, height = image.size
    if width * height > rule.max_pixels:
        raise ImageError(
            f"too large: {width} x {height} pixels, where at most {rule.max_pixels} in all are decoded (max_pixels=)"
        )
    if width < 1 or height < 1:
        raise ImageError(f"damaged: a size of {width} x {height}")
    return image


def load(image: Image.Image) -> None:
    """Decode the pixels of an opened image; what libtiff prints about it is thrown away."""
    if any(str(tile[0]) == "libtiff" for tile in getattr(image, "tile", [])):
        with _quiet_standard_error():
            image.load()
    else:
        image.load()


def is_everyday(data: bytes | Pixels) -> bool:
    """Return whether an image is of a format whose decoders are known to end and not to crash."""
    if isinstance(data, np.ndarray):
        return True
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"P5", b"P6")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def _know_format(data: bytes) -> None:
    """Load the Pillow plug-in that a format needs; refuse the formats that other programs would draw."""
    if data.startswith(_EPS):
        raise ImageError("a PostScript drawing, which isn't a picture; convert it to PNG")
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _HEIC and "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener

            register_heif_opener()
        except ImportError as error:
            raise ImageError(f"a HEIC image; to read it: {_FORMATS}, or convert it to JPEG") from error
    elif data.startswith(_JXL) and "JXL" not in Image.OPEN:
        try:
            import pillow_jxl  # noqa: F401 (it registers itself)
        except ImportError as error:
            raise ImageError(f"a JPEG XL image; to read it: {_FORMATS}, or convert it to JPEG") from error


@contextlib.contextmanager
def _without_a_limit(rule: PixelRule) -> Iterator[None]:
    """Let Pillow open what the rule allows, where that is more than Pillow itself does."""
    if Image.MAX_IMAGE_PIXELS is None or rule.max_pixels <= 2 * Image.MAX_IMAGE_PIXELS:
        yield
        return
    with _bombs:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _quiet_standard_error() -> Iterator[None]:
    """Turn the file descriptor away for a moment: libtiff writes there, and doesn't know the file's name."""
    with _standard_error:
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _unidentified(data: bytes) -> str:
    """Say what a file is that Pillow can't open."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            known = {"TIFF": _about_tiff, "JPEG": _about_jpeg}.get(kind)
            about = known(data) if known is not None else None
            if about is None and _is_whole(data, kind):
                return f"damaged: a {kind} file with a broken header"
            return about or f"truncated: a {kind} file of {len(data)} bytes without a whole header"
    if data[4:8] == b"ftyp":
        brand = data[8:12].decode("latin-1").strip()
        if not (brand.isascii() and brand.isprintable()):
            return "damaged: a film or an image whose header names no kind"
        return f"a file of the kind '{brand}' (a film, or an image of a newer format), which can't be read"
    if data.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the image itself: fetch it with git lfs pull"
    if not any(data[:4096]):
        return "not an image (all zeros)"
    start = data[:24].decode("utf-8", "ignore").splitlines()[:1]
    text = start[0].strip() if start else ""
    if text.isprintable() and len(text) > 3:
        return f"not an image (starts with '{text}')"
    return f"not an image (starts with the bytes {data[:8].hex(' ')})"


def _is_whole(data: bytes, kind: str) -> bool:
    """Return whether a file goes to its end, as far as can be told from its bytes."""
    if kind == "TIFF":
        return int.from_bytes(data[4:8], "little" if data.startswith(b"II") else "big") < len(data) - 2
    return data.rstrip(b"\0").endswith(_END[kind])


def _about_tiff(data: bytes) -> str | None:
    """Describe an intact TIFF of a kind that Pillow doesn't know; None if its header isn't whole."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        bits = directory.get(_BITS, (1,))
        bands = int(directory.get(_BANDS, len(bits)))
        form = {2: "signed ", 3: "floating-point "}.get(_first(directory.get(_SAMPLE_FORMAT, 1)), "")
        packed = int(directory.get(_COMPRESSION, 1))
        if 256 not in directory or 257 not in directory:
            return None
    except Exception:  # its own reader raises nearly anything, too
        return None
    compression = "" if packed == 1 else f", compression {TiffImagePlugin.COMPRESSION_INFO.get(packed, packed)}"
    return f"a TIFF with {counted(bands, 'band')} of {_first(bits)} {form}bits{compression}, which can't be read"


def _about_jpeg(data: bytes) -> str | None:
    """Describe a JPEG without loss, which Pillow doesn't know; None for any other."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, (length,) = data[place + 1], struct.unpack(">H", data[place + 2 : place + 4])
        if marker in _LOSSLESS:
            return "a lossless JPEG, which can't be read"
        place += 2 + length
    return None


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _reason(error: Exception) -> str:
    text = one_line(error).partition(". Please")[0]  # some plug-ins tell how to build them
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {text}"
    if isinstance(error, EOFError) or re.search("truncated|broken data", text.lower()):
        return f"truncated: {text}"
    if text == "cannot load this image":
        return "its pixels are coded in a way that can't be read"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if found := re.search(r"cannot find loader for this (\w+) file|decoder (\w+) not available", text):
        return f"a {found[1] or found[2]} file, which can't be read"
    return f"damaged: {text}"
