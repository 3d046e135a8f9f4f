"""A clean folder of classes, with Hugging Face's `metadata.csv`."""

from __future__ import annotations

from collections.abc import Sequence

from deft.data.images import LabeledImages
from deft.data.table_writer import write_columns
from deft.export.formats import Destination
from deft.export.image_files import place_images
from deft.export.media import needed_ending
from deft.export.names import distinct, folder_names, image_name
from deft.export.plan import Plan, Written, write_left_out

METADATA = "metadata.csv"

SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"))
"""Folders that every reader takes for splits."""


def write_imagefolder(plan: Plan, to: Destination) -> Written:
    """Write `class/image` for each usable image, below its split where there are splits, and `metadata.csv`.

    The table holds the exact class names: a folder's name may have had to change. Each split has a table of its own
    as well, because Hugging Face's imagefolder looks for it there.

    Args:
        plan: What to write.
        to: Where, and how files get there.

    Raises:
        DataError: Nothing is left.
    """
    rows = plan.usable()
    images, labels = plan.part(rows)
    splits = _splits(images)
    names = file_names(images, labels, folder_names(plan.classes), splits)
    failed = place_images(images, names, to.folder, to.link, to.progress)
    failures = {rows[row]: why for row, why in failed.items()}
    there = [place for place in range(len(rows)) if place not in failed]
    written = [rows[place] for place in there]
    columns = {"label": [labels[place] for place in there], **plan.notes(written)}
    write_columns(to.folder / METADATA, ".csv", {"file_name": [names[place] for place in there], **columns})
    for split in sorted(set(splits or ())):
        chosen = [number for number, place in enumerate(there) if splits is not None and splits[place] == split]
        own = {name: [values[number] for number in chosen] for name, values in columns.items()}
        inside = [names[there[number]].removeprefix(f"{split}/") for number in chosen]
        if chosen:
            write_columns(to.folder / split / METADATA, ".csv", {"file_name": inside, **own})
    notes = write_left_out(plan, to.folder, written, failures)
    return Written((METADATA,), len(written), notes)


def file_names(
    images: LabeledImages, labels: Sequence[str], folders: dict[str, str], splits: Sequence[str] | None
) -> list[str]:
    """Return the path of each image within the folder, distinct.

    Args:
        images: What to name.
        labels: Class of each.
        folders: Folder of each class.
        splits: Folder of the split of each, where there are splits.
    """
    names = []
    for row, label in enumerate(labels):
        name = f"{folders[label]}/{image_name(images.file_name[row], needed_ending(images, row))}"
        names.append(name if splits is None else f"{splits[row]}/{name}")
    return distinct(names)


def _splits(images: LabeledImages) -> list[str] | None:
    """Return the split of each image, if all have names that readers of folders take for splits."""
    if images.split is None or not all(name.casefold() in SPLITS for name in images.split):
        return None
    return list(images.split)
