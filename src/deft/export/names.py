"""Names of folders and files that are safe on every system, whatever the classes and images are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from deft.data.endings import IMAGE_ENDINGS

LONGEST = 120  # bytes of a name; the systems' limit is 255
_RESERVED = frozenset(["con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))])
_UNSAFE = re.compile(r'[\\/:*?"<>|]')


def safe_name(text: str) -> str:
    """Return a name for one file or folder that can't lead anywhere else.

    Example:
        >>> safe_name("../cats/dogs"), safe_name(".."), safe_name("nul")
        ('_.._cats_dogs', '_', 'nul_')
    """
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", shown))
    name = "".join(char if char.isprintable() else "_" for char in name).strip()
    name = _shortened(name)
    if name.startswith("."):  # hidden, or a step upwards
        name = f"_{name}"
    name = name.rstrip(". ")  # which Windows drops
    if name.split(".")[0].casefold() in _RESERVED:
        stem, dot, ending = name.partition(".")
        name = f"{stem}_{dot}{ending}"
    return name or "_"


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names with "-2", "-3" before the ending of those that come again, whatever their case.

    Example:
        >>> distinct(["a.png", "A.png", "b.png", "a.png"])
        ['a.png', 'A-2.png', 'b.png', 'a-3.png']
    """
    taken: set[str] = set()
    times: dict[str, int] = {}
    result = []
    for name in names:
        new, path = name, PurePosixPath(name)
        while new.casefold() in taken:
            times[name.casefold()] = times.get(name.casefold(), 1) + 1
            new = str(path.with_name(f"{path.stem}-{times[name.casefold()]}{path.suffix}"))
        taken.add(new.casefold())
        result.append(new)
    return result


def folder_names(classes: Sequence[str]) -> dict[str, str]:
    """Return a folder for each class, no two the same on any system."""
    return dict(zip(classes, distinct(safe_name(name) for name in classes), strict=True))


def image_name(file_name: str, ending: str | None) -> str:
    """Return the name of the file that an image becomes.

    Args:
        file_name: What the image is called: a path, or a table's name and a row.
        ending: Ending that its content asks for, where its name has none that an image has; None to keep the name.

    Example:
        >>> image_name("b/cat 1.jpg", None), image_name("train.parquet#17", ".png")
        ('cat 1.jpg', 'train-17.png')
    """
    name = PurePosixPath(file_name.replace("\\", "/")).name
    if ending is None or PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS:
        return safe_name(name)
    return safe_name(re.sub(r"(?:\.[A-Za-z]{1,8})?#", "-", name) + ending)


def _shortened(name: str) -> str:
    if len(name.encode("utf-8")) <= LONGEST:
        return name
    path = PurePosixPath(name)
    suffix = path.suffix if 1 < len(path.suffix) <= 6 else ""
    stem = name.removesuffix(suffix).encode("utf-8")[: LONGEST - len(suffix)].decode("utf-8", "ignore")
    return stem.strip() + suffix
