"""`find_images`: images that nobody has labelled yet, or whose labels don't matter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from deft.data.folders import IMAGE_ENDINGS, METADATA
from deft.data.hub import is_saved
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.readers import FileReader, file_problem, show_path
from deft.data.rows import unique
from deft.errors import DataError
from deft.progress import Progress


def find_images(source: str | Path, *, progress: Progress | None = None) -> LabeledImages:
    """Find images, whatever folders they lie in; labels aren't needed and aren't read from folder names.

    Args:
        source: A folder of images, searched to any depth; an image; or a table or data set as `load_images` reads.
        progress: Told of guesses and oddities.

    Returns:
        Images without labels, or what `load_images` gives for tables and data sets.

    Raises:
        DataError: There is no image.

    Example:
        >>> deft.AdaptedModel.load("model/").predict(find_images("photos/"))  # doctest: +SKIP
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in IMAGE_ENDINGS:
        return _files(path.parent, [str(path)])
    if not path.is_dir() or is_saved(str(path)) or any((path / name).is_file() for name in METADATA):
        return load_images(source, progress=progress)
    found = _below(path)
    if not found:
        raise DataError(f"There is no image in {show_path(str(path))}, at any depth.")
    return _files(path, found)


def _below(root: Path) -> list[str]:
    """Paths of all images below a folder, in order; hidden ones aside, and no folder twice."""
    found: list[str] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(here))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(here, name)) not in seen
        )
        images = (name for name in sorted(files) if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS)
        found.extend(os.path.join(here, name) for name in images if not name.startswith("."))
    return found


def _files(root: Path, paths: list[str]) -> LabeledImages:
    names = [show_path(os.path.relpath(path, root).replace(os.sep, "/")) for path in paths]
    problems = ((row, file_problem(path)) for row, path in enumerate(paths))
    return LabeledImages(
        reader=FileReader(tuple(paths)),
        rows=np.arange(len(paths)),
        labels=np.full(len(paths), -1, np.int64),
        classes=(),
        sample_id=unique(names),
        file_name=tuple(names),
        read_errors={row: problem for row, problem in problems if problem is not None},
    )
