"""A run folder that knows where its images are: written by `deft detect`, opened by report, review and export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deft.arguments import checked
from deft.data.identify import identify
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule
from deft.files import parse_json
from deft.progress import Progress
from deft.runs.decisions import first_labels, read_log
from deft.runs.detection import Detection
from deft.runs.matching import judged_images
from deft.runs.source import RUN, Source

PIXELS = f"pixels-{'[0-9a-f]' * 24}.*"
"""Pattern of the files that hold decoded images; whatever else is called pixels is the user's own."""


def is_run(folder: str | Path) -> bool:
    """Return whether a folder holds a run of deft's, finished or stopped: nobody else's may be written into.

    Args:
        folder: Need not be there.
    """
    folder = Path(folder)
    if any(folder.glob(PIXELS)):
        return True
    try:
        stored = parse_json((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and isinstance(stored.get("source"), dict)


@checked
def open_run(
    folder: str | Path, *, data: str | None = None, progress: Progress | None = None
) -> tuple[Detection, LabeledImages]:
    """Open what `deft detect` left, with its images.

    A run knows its images by content: one that was renamed or moved is found, and one that was replaced is reported.
    Files that haven't changed since aren't read again, and nothing is written into the folder.

    Args:
        folder: The run.
        data: Where the images are now, if they were moved.
        progress: Told how far the work has come, if images have to be read to tell them apart.

    Returns:
        The verdicts and the images they are about, row by row: same order, same given labels, same classes.

    Raises:
        DataError: It isn't a run; or an image is gone, was replaced by another one, or has a different label now.

    Example:
        >>> found, images = open_run("run/")  # doctest: +SKIP
    """
    found = Detection.load(folder)
    source = Source.load(folder)
    images = (source if data is None else replace(source, data=data)).open()
    if found.content is not None:
        images = identify(images, Path(folder), write=False, progress=progress)
    where = source.data if data is None else data
    images = judged_images(found, images, where, first_labels(read_log(folder)))
    images = replace(images, pixels=PixelRule.from_settings(found.info.get("pixels")))
    return replace(found, images=images), images
