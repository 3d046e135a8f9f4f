"""Where other tools find the images: the files themselves, or files written from the bytes that a table holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.endings import IMAGE_ENDINGS
from deft.data.image_bytes import image_ending
from deft.data.images import LabeledImages
from deft.data.readers import FileReader, ImageError
from deft.data.table_writer import image_paths
from deft.errors import DataError
from deft.export.image_files import place_images
from deft.export.names import distinct, image_name
from deft.export.plan import Plan
from deft.progress import Progress
from deft.wording import counted

FOLDER = "images"


@dataclass(frozen=True)
class Media:
    """Files of some rows.

    Args:
        rows: Rows of the run.
        paths: Where the image of each lies once the export is done, absolute.
        failures: Row to reason, of the images that could not be written.
    """

    rows: tuple[int, ...]
    paths: tuple[str, ...]
    failures: dict[int, str]


def find_media(plan: Plan, folder: Path, target: Path, progress: Progress) -> Media:
    """Say where the images of all readable rows are; those that are no files are written into `images/`.

    Args:
        plan: The images.
        folder: Where to write now.
        target: Where the folder will lie.
        progress: Told of every image that is written.

    Raises:
        DataError: No image can be read, or a file's name is not UTF-8.
    """
    lost = plan.unreadable
    rows = [row for row in range(len(plan.images)) if row not in lost]
    if not rows:
        raise DataError(f"Nothing is left to export: none of the {len(plan.images)} images can be read.")
    images = plan.images.keep(np.array(rows, np.int64))
    if isinstance(images.reader, FileReader):
        # Relative to a folder that nothing lies in: absolute.
        return Media(tuple(rows), tuple(image_paths(images, target / FOLDER)), {})
    names = distinct(image_name(images.file_name[row], needed_ending(images, row)) for row in range(len(rows)))
    failed = place_images(images, names, folder / FOLDER, "copy", progress)
    home = target.expanduser().resolve() / FOLDER
    there = [place for place in range(len(rows)) if place not in failed]
    return Media(
        rows=tuple(rows[place] for place in there),
        paths=tuple(str(home / names[place]) for place in there),
        failures={rows[place]: why for place, why in failed.items()},
    )


def needed_ending(images: LabeledImages, row: int) -> str | None:
    """Return the ending that an image's content asks for, where its name has none that an image has."""
    name = images.file_name[row].lower()
    if any(name.endswith(ending) for ending in IMAGE_ENDINGS):
        return None
    try:
        return image_ending(images, row)
    except ImageError:
        return ".img"


def told_of(media: Media) -> tuple[str, ...]:
    """Return the sentences about images that could not be written."""
    names: Sequence[str] = [f"row {row}: {why}" for row, why in list(media.failures.items())[:3]]
    return (f"{counted(len(media.failures), 'image')} can't be read ({'; '.join(names)}).",) if names else ()


def json_list(items: Iterable[Any]) -> str:
    """Return JSON of a list, one item a line; much faster than `json.dumps` with an indent."""
    return "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"
