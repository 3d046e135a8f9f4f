"""A run folder that knows where its images are: written by `deft detect`, opened by report, review and export."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from deft.data.identify import identify
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.pixel_rule import PixelRule
from deft.data.sources import check_source
from deft.errors import DataError
from deft.files import replace_file
from deft.progress import Progress
from deft.runs.decisions import first_labels, read_log
from deft.runs.detection import Detection
from deft.runs.matching import judged_images

RUN = "run.json"
FORMAT = 1
PIXELS = f"pixels-{'[0-9a-f]' * 24}.*"
"""Pattern of the files that hold decoded images; whatever else is called pixels is the user's own."""

DEMO = "demo:digits"
"""The data of `deft demo`, which comes with scikit-learn and has no path."""


@dataclass(frozen=True)
class Source:
    """Where the images of a run come from: what `load_images` was asked for.

    Args:
        data: Folder, table, Hub id, or `DEMO`.
        labels: Table of labels for a folder.
        classes: File of class names.
        split: Only this split.
        image_column: Column with images or paths.
        label_column: Column with the given labels.
        clean_column: Column with true labels.
        words: File of words for the classes.
    """

    data: str
    labels: str | None = None
    classes: str | None = None
    split: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    clean_column: str | None = None
    words: str | None = None

    def save(self, folder: str | Path) -> None:
        """Write `run.json`; paths are stored whole, so that the run can be opened from anywhere."""
        stored = {
            name: _whole(value) if name in ("data", "labels", "classes", "words") else value
            for name, value in asdict(self).items()
        }
        with replace_file(Path(folder) / RUN) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "source": stored}, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Source:
        """Read what `save` wrote.

        Raises:
            DataError: The folder holds no `run.json`, or it isn't one of ours.
        """
        path = Path(folder) / RUN
        if not path.is_file():
            raise DataError(f"{folder} holds no {RUN}, which tells where the images are; `deft detect` writes it.")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))["source"]
            return cls(**{one.name: stored.get(one.name) for one in fields(cls) if one.name in stored})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} can't be read as the settings of a run: {error}.") from error

    def check_there(self) -> None:
        """Refuse data that can't be anywhere, before anything is read.

        Raises:
            DataError: The data is neither there nor named like a data set of the Hub, or a file beside it is missing.
        """
        if self.data != DEMO:
            check_source(self.data)
        beside = {"table of labels": self.labels, "file of class names": self.classes, "file of words": self.words}
        for name, path in beside.items():
            if path is not None and not Path(path).expanduser().is_file():
                raise DataError(f"There is no {name} at {path}.")

    def open(self, progress: Progress | None = None) -> LabeledImages:
        """Find the images again.

        Args:
            progress: Told of guesses and oddities.

        Raises:
            DataError: They aren't there any more.
        """
        if self.data == DEMO:
            from deft.data.digits import digits  # with what draws the wrong labels, which no other run needs

            return digits()[0]
        return load_images(
            self.data,
            labels=self.labels,
            classes=self.classes,
            split=self.split,
            image_column=self.image_column,
            label_column=self.label_column,
            clean_column=self.clean_column,
            words=self.words,
            progress=progress,
        )


def is_run(folder: str | Path) -> bool:
    """Return whether a folder holds a run of deft's, finished or stopped: nobody else's may be written into.

    Args:
        folder: Need not be there.
    """
    folder = Path(folder)
    if any(folder.glob(PIXELS)):
        return True
    try:
        stored = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and isinstance(stored.get("source"), dict)


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


def _whole(value: Any) -> Any:
    if value is None or value == DEMO:
        return value
    path = Path(value).expanduser()
    return os.path.abspath(path) if path.exists() else str(value)  # a Hub id is no path
