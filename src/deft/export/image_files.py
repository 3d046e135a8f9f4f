"""Images become files: copied, linked, or written from the bytes that a table holds."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.data.readers import FileReader, ImageError, file_problem, one_line
from deft.errors import DataError, SettingsError
from deft.progress import Progress

Link = Literal["copy", "hard", "symlink"]
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


def check_link(link: str, images: LabeledImages) -> None:
    """Refuse links where there is nothing to link to.

    Raises:
        SettingsError: An unknown word, or links to images that are no files.
    """
    if link not in get_args(Link):
        raise SettingsError(f"link must be one of {', '.join(get_args(Link))}, not {link!r}.")
    if link != "copy" and not isinstance(images.reader, FileReader):
        raise SettingsError("These images are no files of their own, so they can't be linked: use copy.")


def place_images(
    images: LabeledImages, names: Sequence[str], folder: Path, link: Link, progress: Progress
) -> dict[int, str]:
    """Put each image under its name into a folder.

    Args:
        images: What to put there; never touched.
        names: Path of each image within the folder, safe and distinct.
        folder: Where; folders within it are made as needed.
        link: "copy" the files, "hard" for another name of the same file, or "symlink".
        progress: Told of every image.

    Returns:
        Row to reason, of the images that can't be read; there is nothing of them in the folder.

    Raises:
        DataError: Hard links can't be made there.
    """
    for parent in {os.path.dirname(name) for name in names}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    failures = {}
    for row in progress.track(range(len(images)), "Writing images", total=len(images)):
        try:
            _place(images, row, folder / names[row], link)
        except ImageError as error:
            failures[row] = str(error)
    return failures


def _place(images: LabeledImages, row: int, target: Path, link: Link) -> None:
    if not isinstance(images.reader, FileReader):
        content = image_file(images, row)
        if not content:
            raise ImageError("empty file")
        target.write_bytes(content)
        return
    path = images.reader.paths[int(images.rows[row])]
    problem = file_problem(path)
    if problem is not None:
        raise ImageError(problem)
    if link == "symlink":
        os.symlink(os.path.abspath(path), target)
    elif link == "hard":
        _link(os.path.realpath(path), target)
    else:
        try:
            shutil.copyfile(path, target)
        except PermissionError as error:
            raise ImageError(one_line(error.strerror)) from error


def _link(path: str, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise DataError(
            f"No hard link to {path} can be made in {target.parent.parent} ({error.strerror}): use copy or symlink."
        ) from error
