"""Images that show the same picture, told by somebody's own embeddings and a second look at the pixels."""

from __future__ import annotations

import numpy as np

from deft.data.decode import decode
from deft.data.duplicates import exact_copies, kinds_of
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.readers import ImageError, Pixels
from deft.data.similar import with_similar

SQUARE = ImageSpec(128, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # in which possible duplicates are compared


def duplicates_by_features(
    images: LabeledImages, rows: np.ndarray, keys: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Return the number of each image's group of duplicates, (N,), −1 for none, whatever the order of the images.

    Args:
        images: All of them, N.
        rows: The usable ones, (n,).
        keys: Numbers that depend on their content alone, (n,).
        features: Somebody's embeddings of all images, (N, P).
    """

    def pictures(places: np.ndarray) -> Pixels:
        return np.stack([_picture(images, int(row)) for row in order[places]])

    order = rows[np.argsort(keys, kind="stable")]
    alone = np.full(len(order), -1, np.int64)
    groups = np.full(len(images), -1, np.int64)
    groups[order] = with_similar(alone, features[order], np.arange(len(order)), pictures, images.labels[order])
    return groups


def kinds_by_features(images: LabeledImages, groups: np.ndarray) -> np.ndarray:
    """Return by what each image is known for a duplicate, its content or its features, as places in `KINDS`, (N,).

    Args:
        images: All of them, N, whose content is known.
        groups: Output of `duplicates_by_features`, (N,).
    """
    return kinds_of(groups, np.full(len(groups), -1, np.int64), exact_copies(images.content_id))


def _picture(images: LabeledImages, row: int) -> Pixels:
    """Return an image as a square; black, which is like no other, where it can't be decoded."""
    try:
        return decode(images.reader.read(int(images.rows[row])), SQUARE, SQUARE.size, images.pixels)
    except ImageError:
        return np.zeros((SQUARE.size, SQUARE.size, 3), np.uint8)
