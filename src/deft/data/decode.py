"""From an encoded image, however odd, to a small square of red, green and blue; or to a reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deft.data.colours import Box, is_simple, reduced, tone_of
from deft.data.decoder_memory import check_memory, draft
from deft.data.depth import Deep, Unmeasured, depth_of, measure, not_finite
from deft.data.image_spec import ImageSpec
from deft.data.open_image import load, open_image, reading
from deft.data.pixel_rule import PixelRule, ValueRange, range_of_values
from deft.data.readers import ImageError, Pixels

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
_USUAL = PixelRule()


@dataclass(frozen=True)
class Decoded:
    """An image that was decoded.

    Args:
        pixels: uint8 (side, side, 3).
        size: Width and height of the original.
        not_finite: Pixels of the original that are NaN or infinite, and are black here.
        depth: Kind of the picture and what its numbers mean, where it has more than 8 bits a channel.
        cut_off: Whether its numbers above 255 were taken as white.
    """

    pixels: Pixels
    size: tuple[int, int]
    not_finite: int = 0
    depth: tuple[str, ValueRange] | None = None
    cut_off: bool = False


def decode(data: bytes | Pixels, spec: ImageSpec, side: int, rule: PixelRule = _USUAL) -> Pixels:
    """Return the image upright, as uint8 (side, side, 3).

    Args:
        data: An encoded image, or its pixels.
        spec: How it becomes a square, and the filter of the resize.
        side: Side of the square; `spec.size` is not looked at.
        rule: Black, white and the largest size; a range that it doesn't know is that of this image.

    Raises:
        ImageError: With the reason.
    """
    try:
        return examine(data, spec, side, rule).pixels
    except Unmeasured as found:
        known = _measured(rule, found)
    return examine(data, spec, side, known).pixels  # not within the handler, which keeps the first picture alive


def examine(data: bytes | Pixels, spec: ImageSpec, side: int, rule: PixelRule = _USUAL) -> Decoded:
    """Return the image as `decode` does, with what there is to say of it.

    Args:
        data: As in `decode`.
        spec: As in `decode`.
        side: As in `decode`.
        rule: Black, white and the largest size.

    Raises:
        ImageError: With the reason.
        Unmeasured: Its black and white depend on other images.
    """
    with reading():
        image = open_image(data, rule)
        deep = depth_of(image, data if isinstance(data, bytes) else None)
        size = image.size
        draft(image, data, _enough(size, spec, side))
        check_memory(image, rule)
        load(image)
        black_white = _range(image, deep, rule)
        square = _square(image, deep, black_white, spec, side)
        turn = _UPRIGHT.get(_orientation(image))
        pixels = np.array(square if turn is None else square.transpose(turn), dtype=np.uint8)
        depth = None if deep is None or black_white is None else (deep.kind, black_white)
        cut_off = depth is not None and rule.unknown == "clip" and depth[0] not in rule.ranges
        return Decoded(pixels, size, not_finite(image), depth, cut_off)


def whole(data: bytes | Pixels, side: int | None, rule: PixelRule = _USUAL) -> Pixels:
    """Return an image with nothing cut off, upright, as uint8 (h, w, 3).

    Args:
        data: An encoded image, or its pixels.
        side: The longer of h and w, at the most; a smaller image keeps its size, and with None every image does.
        rule: As in `decode`.

    Raises:
        ImageError: With the reason.
    """
    with reading():
        image = open_image(data, rule)
        deep = depth_of(image, data if isinstance(data, bytes) else None)
        if side is not None:
            draft(image, data, (2 * side, 2 * side))
        check_memory(image, rule)
        load(image)
        try:
            black_white = _range(image, deep, rule)
        except Unmeasured as found:
            black_white = _measured(rule, found).ranges[found.kind]
        return _whole(image, deep, black_white, side)


def shorter_side(data: bytes | Pixels, rule: PixelRule = _USUAL) -> int:
    """Return the length of an image's shorter side from its header alone; 0 where there is none."""
    size = sides(data, rule)
    return 0 if size is None else min(size)


def sides(data: bytes | Pixels, rule: PixelRule = _USUAL) -> tuple[int, int] | None:
    """Return an image's width and height from its header alone; None where there is none."""
    if isinstance(data, np.ndarray):
        return int(data.shape[1]), int(data.shape[0])
    try:
        with reading():
            return open_image(data, rule).size
    except ImageError:  # decode says why, when its turn comes
        return None


def upright(image: Image.Image) -> npt.NDArray[Any]:
    """Return a Pillow image at its own size and upright: uint8 (H, W, 3), or its numbers (H, W) if they are wider.

    Raises:
        ImageError: With the reason.
    """
    with reading():
        load(image)
        deep = depth_of(image, None)
        turn = _UPRIGHT.get(_orientation(image))
        if deep is None or deep.colour:
            return _whole(image, None, None, None)
        return np.array(image if turn is None else image.transpose(turn))


def _measured(rule: PixelRule, found: Unmeasured) -> PixelRule:
    return rule.with_ranges({found.kind: range_of_values(found.kind, [found.measured])})


def _range(image: Image.Image, deep: Deep | None, rule: PixelRule) -> ValueRange | None:
    """Return black and white of a loaded picture; None where 8 bits say so themselves."""
    if deep is None or (deep.colour and rule.unknown == "clip" and deep.kind not in rule.ranges):
        return None
    known = rule.range_of(deep.kind, deep.stated)
    if known is not None and image.mode != "F":
        return known
    measured = measure(image, deep)
    if measured is None:
        raise ImageError("none of its pixels is a finite number")
    if known is None:
        raise Unmeasured(deep.kind, measured)
    return known


def _enough(size: tuple[int, int], spec: ImageSpec, side: int) -> tuple[int, int]:
    """Return a size from which a reduction to `side` loses nothing: twice it, in the image's own shape."""
    if spec.fit == "squash":
        return 2 * side, 2 * side
    shorter = min(size)
    return tuple(max(1, min(length, length * 2 * side // shorter)) for length in size)  # type: ignore[return-value]


def _square(
    image: Image.Image, deep: Deep | None, black_white: ValueRange | None, spec: ImageSpec, side: int
) -> Image.Image:
    chosen = _FILTERS[spec.interpolation]
    width, height = image.size
    box: Box = (0, 0, width, height)
    if spec.fit == "crop":  # cropped first: a strip of 1 x 100 000 never becomes one of 224 x 22 400 000
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        box = (left, top, left + edge, top + edge)
        if is_simple(image, deep):
            return image.resize((side, side), chosen, box=box).convert("RGB")
    colours = image
    if not is_simple(image, deep):
        colours = reduced(image, box, tone_of(image, deep, black_white), (side, side))
    width, height = colours.size
    if width < side < height:  # the long side first, for the same reason
        colours = colours.resize((width, side), chosen)
    elif height < side < width:
        colours = colours.resize((side, height), chosen)
    return colours.resize((side, side), chosen).convert("RGB")


def _whole(image: Image.Image, deep: Deep | None, black_white: ValueRange | None, side: int | None) -> Pixels:
    scale = 1.0 if side is None else min(1.0, side / max(image.size))
    small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    colours = image
    if not is_simple(image, deep):
        colours = reduced(image, (0, 0, *image.size), tone_of(image, deep, black_white), small)
    colours = colours if small == colours.size else colours.resize(small, Image.Resampling.BICUBIC)
    turn = _UPRIGHT.get(_orientation(image))
    return np.array((colours if turn is None else colours.transpose(turn)).convert("RGB"), dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose the picture
        return 1
