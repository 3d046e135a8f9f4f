"""Names of splits: folders and files that part a data set, and are never classes."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = (
    "train", "training", "trn", "trainval", "val", "valid", "validation", "minival", "dev", "devel", "test", "testing",
    "tst", "eval", "evaluation", "extra", "holdout", "heldout",
)  # fmt: skip
_FOLD = r"(?:k[-_ ]?)?folds?[-_ ]?\d{1,3}"
_REST = r"(?:[-_ ]?(?:set|data|dataset|split|images?|imgs?|full|small|large|clean|noisy|\d{1,4}))*"
_NAME = rf"(?:(?:(?:images?|imgs?|ilsvrc\d+_img)[-_])?(?:{'|'.join(_WORDS)}){_REST}|{_FOLD})"
_SPLIT = re.compile(_NAME)
_PREFIXED = re.compile(rf"(.+?)[-_. ]+{_NAME}")
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
        >>> [is_split(name) for name in ("train", "Validation_set", "train2017", "fold_1", "express", "trainers")]
        [True, True, True, True, False, False]
    """
    return _SPLIT.fullmatch(name.casefold()) is not None


def splits_among(names: Iterable[str]) -> set[str]:
    """Return which folders beside each other are named like splits.

    Where none is by itself, names with one prefix are, or those with numbers in front: `seg_train` beside `seg_test`,
    `1_train` beside `2_test`.

    Example:
        >>> sorted(splits_among(["train", "test", "docs"]))
        ['test', 'train']
        >>> sorted(splits_among(["seg_train", "seg_test", "toy_train"]))
        ['seg_test', 'seg_train']
    """
    there = list(names)
    plain = {name for name in there if is_split(name)}
    if plain:
        return plain
    alike: dict[str, set[str]] = {}
    for name in there:
        found = _PREFIXED.fullmatch(name.casefold())
        if found is not None:
            alike.setdefault("a number" if found[1].isdecimal() else found[1], set()).add(name)
    return {name for group in alike.values() if len(group) > 1 for name in group}


def shard_split(stem: str) -> str | None:
    """Return the split that a shard is of, from its file's name without ending: `train-00000-of-00004`.

    Example:
        >>> shard_split("train-00000-of-00004"), shard_split("photos")
        ('train', None)
    """
    found = _SHARD.fullmatch(stem)
    name = stem if found is None else found[1]
    return name if is_split(name) else None
