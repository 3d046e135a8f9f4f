"""The folder an export becomes: new, outside of the data, complete or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from deft.data.images import LabeledImages
from deft.data.readers import FileReader, show_path
from deft.errors import DataError
from deft.files import keep_on_disk, temporary_folder


def check_target(target: Path, images: LabeledImages) -> None:
    """Refuse a target that is no folder, or lies among the images.

    Args:
        target: Where the export is to go.
        images: What is exported.

    Raises:
        DataError: It is a file, or lies inside a folder of the images.
    """
    if target.exists() and not target.is_dir():
        raise DataError(f"{target} is a file; an export needs a folder.")
    place = target.expanduser().resolve()
    inside = _image_folders(images) & {place, *place.parents}
    if inside:
        raise DataError(
            f"{target} lies inside the images' own folder, {sorted(inside)[0]}, where deft never writes. "
            "Choose another folder."
        )


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target` to fill, and rename it once all is written.

    Example:
        >>> with new_folder(Path("cleaned")) as folder:  # doctest: +SKIP
        ...     (folder / "labels.csv").write_text("...")
    """
    target = target.expanduser()
    with temporary_folder(target) as temporary:
        yield temporary
        if target.is_dir():
            target.rmdir()  # empty, or this fails
        os.rename(temporary, target)
        keep_on_disk(target.parent)


def _image_folders(images: LabeledImages) -> set[Path]:
    """Return the folders with images in them, and the folders of class folders."""
    if not isinstance(images.reader, FileReader):
        return set()
    paths = images.reader.paths
    names = images.given_names()
    pairs = {(os.path.dirname(paths[row]), name) for row, name in zip(images.rows.tolist(), names, strict=True)}
    found = set()
    for folder, name in pairs:
        here = Path(folder or ".").resolve()
        found.add(here)
        if show_path(here.name) == name:  # a folder of its class: the one above it is the data set
            found.add(here.parent)
    return found
