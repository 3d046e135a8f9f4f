"""Images with their contents known, from the notes of a run where files haven't changed, else by reading them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deft.data.contents import UNREAD, keep_known, load_known, read_contents
from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.progress import Progress


def identify(
    images: LabeledImages, folder: Path | None, *, write: bool = True, progress: Progress | None = None
) -> LabeledImages:
    """Return the same images with `content_id` known.

    A file whose path, size and time are those of a run's notes isn't read again.

    Args:
        images: Any.
        folder: A run folder, which keeps the notes; None keeps none.
        write: Whether what was read is noted; reading a run must not need the right to write there.
        progress: Told how far the work has come.

    Raises:
        DataError: The notes can't be written.
        SettingsError: What was given are no labelled images.
    """
    check_images(images, "detect")
    if images.content is not None:
        return images
    known = {} if folder is None else load_known(folder)
    names = read_contents(images.reader, images.rows, images.file_name, known=known, progress=progress)
    stamps = images.reader.stamps(images.rows) if write and folder is not None else None
    if folder is not None and stamps is not None:
        read = {stamp: name for stamp, name in zip(stamps, names, strict=True) if not name.startswith(UNREAD)}
        if not read.items() <= known.items():
            keep_known(folder, list(read), list(read.values()))
    return replace(images, content=names)
