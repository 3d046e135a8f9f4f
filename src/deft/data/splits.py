"""Names of splits: folders and files that part a data set, and are never classes."""

from __future__ import annotations

import re

_WORDS = (
    "train", "training", "trn", "trainval", "val", "valid", "validation", "minival", "dev", "devel", "test", "testing",
    "tst", "eval", "evaluation", "extra", "holdout", "heldout",
)  # fmt: skip
_REST = r"(?:[-_ ]?(?:set|data|dataset|split|images?|imgs?|full|small|large|clean|noisy|\d{1,4}))*"
_SPLIT = re.compile(rf"(?:(?:images?|imgs?|ilsvrc\d+_img)[-_])?(?:{'|'.join(_WORDS)}){_REST}")
_SHARD = re.compile(r"(.+?)[-_.]\d+(?:-of-\d+)?")

UNLABELLED = frozenset(("_unlabeled", "_unlabelled", "unlabeled", "unlabelled", "__unlabeled__"))
"""Folders whose images have no label."""

CONTAINERS = frozenset(("images", "image", "imgs", "img", "jpegimages", "pictures", "pics", "photos", "data", "files"))
"""Folders that hold images of whatever class, where they are the only ones."""

POOLS = frozenset(("images", "imgs", "img", "jpegimages"))
"""Folders that hold images of whatever class, also beside class folders."""


def is_split(name: str) -> bool:
    """Say whether a folder or file of this name is a split.

    Example:
        >>> [is_split(name) for name in ("train", "Validation_set", "train2017", "express", "trainers")]
        [True, True, True, False, False]
    """
    return _SPLIT.fullmatch(name.casefold()) is not None


def shard_split(stem: str) -> str | None:
    """Return the split that a shard is of, from its file's name without ending: `train-00000-of-00004`.

    Example:
        >>> shard_split("train-00000-of-00004"), shard_split("photos")
        ('train', None)
    """
    found = _SHARD.fullmatch(stem)
    name = stem if found is None else found[1]
    return name if is_split(name) else None
