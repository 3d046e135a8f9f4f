"""From a decoded picture of any mode to red, green and blue, in little memory however large it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from deft.data.depth import STRIP_PIXELS, Deep, colour_table, to_grey
from deft.data.pixel_rule import ValueRange

Box = tuple[int, int, int, int]
Tone = Callable[[Image.Image], Image.Image]

LARGE = 1 << 24
"""Pixels; a larger picture of an unusual mode is reduced strip by strip while it is converted."""

SPARE = 4  # times the wanted length that a reduction leaves, so that the resize that follows is as good as of the whole

FLAT = 8  # largest spread of colours in a picture whose drawing is in its transparency alone
SEEN = 128  # spread of its transparency
_SEE_THROUGH = ("RGBA", "LA", "PA", "RGBa", "La")


def tone_of(image: Image.Image, deep: Deep | None, black_white: ValueRange | None) -> Tone:
    """Return what makes 8-bit colours, or grey, of any part of a loaded picture.

    Transparency is left aside, as by torchvision, datasets and transformers' pipelines: the colours that are stored
    are seen. Where the drawing is in the transparency alone (one colour all over, as black ink on nothing), it is laid
    on white or, if it is bright, on black.

    Args:
        image: The whole picture.
        deep: What is known of its depth, if it has more than 8 bits a channel.
        black_white: What its numbers mean then.
    """
    if deep is not None and black_white is not None and not deep.colour:
        return lambda strip: to_grey(strip, black_white)
    backdrop = _backdrop(image)
    if backdrop is not None:
        return lambda strip: _laid_on(strip, backdrop)
    table = colour_table(black_white) if deep is not None and black_white is not None else None
    if table is not None:
        return lambda strip: _simple(strip).point(table * len(_simple(strip).getbands()))
    return _simple


def reduced(image: Image.Image, box: Box, tone: Tone, wanted: tuple[int, int]) -> Image.Image:
    """Return a part of a loaded picture in 8-bit colours or grey; a large one is reduced on the way.

    Args:
        image: The whole picture.
        box: The part: left, top, right, bottom.
        tone: Output of `tone_of`.
        wanted: Width and height that it will be resized to.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    across = down = 1
    if width * height > LARGE:
        across, down = (max(1, length // (SPARE * aim)) for length, aim in zip((width, height), wanted, strict=True))
    rows = max(1, STRIP_PIXELS // width // down) * down
    result: Image.Image | None = None
    for start in range(0, height, rows):
        strip = tone(image.crop((left, top + start, right, top + min(start + rows, height))))
        part = strip if across == down == 1 else strip.reduce((across, down))
        if result is None:
            result = Image.new(part.mode, (part.width, -(-height // down)))
        result.paste(part, (0, start // down))
    assert result is not None
    return result


def is_simple(image: Image.Image, deep: Deep | None) -> bool:
    """Return whether a loaded picture holds 8-bit colours or grey as it is."""
    return image.mode in ("RGB", "L") and deep is None


def _simple(strip: Image.Image) -> Image.Image:
    if strip.mode in ("RGB", "L"):
        return strip
    if strip.mode == "LA":
        return strip.getchannel(0)
    return strip.convert("RGB")


def _backdrop(image: Image.Image) -> int | None:
    """Return the grey to lay a picture on whose drawing is in its transparency alone; None for any other."""
    bands: Any
    if image.mode == "P" and "transparency" in image.info:
        bands = _used_colours(image).getextrema()
    elif image.mode in _SEE_THROUGH:
        bands = (image.convert("RGBA") if image.mode == "PA" else image).getextrema()
    else:
        return None
    *colours, (least, most) = bands
    if most - least < SEEN or any(high - low > FLAT for low, high in colours):
        return None
    return 255 if sum(high for _, high in colours) < 128 * len(colours) else 0


def _used_colours(image: Image.Image) -> Image.Image:
    """Return one pixel of every colour that a palette picture uses."""
    used = np.flatnonzero(image.histogram()).astype(np.uint8)
    line = Image.fromarray(used[None])
    line.putpalette(image.getpalette() or [])
    line.info["transparency"] = image.info["transparency"]
    return line.convert("RGBA")


def _laid_on(strip: Image.Image, backdrop: int) -> Image.Image:
    layer = strip.convert("RGBA")
    under = Image.new("RGBA", layer.size, (backdrop, backdrop, backdrop, 255))
    return Image.alpha_composite(under, layer).convert("RGB")
