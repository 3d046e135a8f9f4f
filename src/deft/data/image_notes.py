"""What is odd about a picture that can be read: blank, nearly black or white, blurred, tiny, not finite.

All is told from the square that a model gets, so it costs next to nothing. The thresholds stand in docs/pixels.md;
what is measured behind `BLURRED` stands there, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from deft.data.readers import Pixels

BLANK = 2.0
"""Standard deviation of the grey values, of 0..255, below which a picture is of one colour."""

DARK, BRIGHT, SHARE = 16, 239, 0.99
"""Grey values at most and at least which a pixel is nearly black and nearly white, and the share that has to be."""

TINY = 16
"""Pixels; a picture whose shorter side is shorter is tiny."""

BLURRED = 0.008
"""Variance of the Laplacian over variance of the grey values, below which a picture is blurred."""

BLUR_SIDE = 128
"""Pixels; sharpness isn't judged of smaller squares, nor of pictures that were enlarged."""

CUT_OFF = "values above 255 cut off"

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow
_BETWEEN = "; "


def image_note(pixels: Pixels, size: tuple[int, int], not_finite: int = 0, *, cut_off: bool = False) -> str | None:
    """Return what is odd about a picture, as `blank; tiny (9 x 7)`; None for most.

    Args:
        pixels: The square, uint8 (side, side, 3).
        size: Width and height of the original.
        not_finite: How many pixels of the original are NaN or infinite.
        cut_off: Whether its numbers above 255 were taken as white.

    Example:
        >>> image_note(np.zeros((32, 32, 3), np.uint8), (9, 7))
        'blank; nearly black; tiny (9 x 7)'
    """
    grey: npt.NDArray[np.float32] = pixels.astype(np.float32) @ np.array(_GREY, np.float32)
    notes = []
    spread = float(grey.var())
    if spread < BLANK**2:
        notes.append("blank")
    elif len(grey) >= BLUR_SIDE and min(size) >= len(grey) and _roughness(grey) < BLURRED * spread:
        notes.append("blurred")
    if float((grey <= DARK).mean()) >= SHARE:
        notes.append("nearly black")
    elif float((grey >= BRIGHT).mean()) >= SHARE:
        notes.append("nearly white")
    if min(size) < TINY:
        notes.append(f"tiny ({size[0]} x {size[1]})")
    if not_finite:
        notes.append(f"not finite ({not_finite} pixels, taken as black)")
    if cut_off:
        notes.append(CUT_OFF)
    return _BETWEEN.join(notes) or None


def count_notes(notes: Iterable[str]) -> dict[str, int]:
    """Return how many pictures each kind of note is about, most frequent first.

    Args:
        notes: Output of `image_note`.

    Example:
        >>> count_notes(["blank; tiny (9 x 7)", "tiny (4 x 4)"])
        {'tiny': 2, 'blank': 1}
    """
    counts = Counter(kind.partition(" (")[0] for note in notes for kind in note.split(_BETWEEN))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _roughness(grey: npt.NDArray[np.float32]) -> float:
    """Return the variance of the Laplacian of grey values (H, W)."""
    sides = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((4 * grey[1:-1, 1:-1] - sides).var())
