"""Where the images of a run come from, kept in its folder."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.sources import DEMO, check_source
from deft.errors import DataError
from deft.files import parse_json, strict_json
from deft.manifest import check, replace_sealed
from deft.progress import Progress

RUN = "run.json"
FORMAT = 1
OWN = "run:images.parquet"
"""The data of a run whose images were in memory alone: copies of them, in its own folder."""


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
        with replace_sealed(Path(folder) / RUN) as temporary:
            temporary.write_text(strict_json({"format": FORMAT, "source": asdict(self.whole())}), encoding="utf-8")

    def whole(self) -> Source:
        """Return the same with absolute paths."""
        paths = {name: _whole(getattr(self, name)) for name in ("data", "labels", "classes", "words")}
        return replace(self, **paths)

    @classmethod
    def load(cls, folder: str | Path) -> Source:
        """Read what `save` wrote.

        Raises:
            DataError: The folder holds no `run.json`, or it isn't one of ours.
        """
        path = Path(folder) / RUN
        if not path.is_file():
            raise DataError(f"{folder} holds no {RUN}, which tells where the images are; `deft detect` writes it.")
        check(path)
        try:
            stored = parse_json(path.read_text(encoding="utf-8"))["source"]
            found = cls(**{one.name: stored.get(one.name) for one in fields(cls) if one.name in stored})
            own = Path(folder) / OWN.removeprefix("run:")
            return replace(found, data=str(own)) if found.data == OWN else found
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} can't be read as the settings of a run: {error}.") from error

    @classmethod
    def of(cls, images: LabeledImages) -> Source | None:
        """Return where images were loaded from; None where they were in memory, or have other labels by now.

        Args:
            images: From `load_images`.
        """
        return None if images.origin is None else cls(**images.origin)

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

    def open(self, progress: Progress | None = None, *, least_classes: int = 2, alone: bool = False) -> LabeledImages:
        """Find the images again.

        Args:
            progress: Told of guesses and oddities.
            least_classes: Data with fewer classes are refused.
            alone: Whether `data` is one file by its very name, of several that are opened one by one.

        Raises:
            DataError: They aren't there any more.
        """
        if self.data == DEMO:
            from deft.data.digits import digits  # with what draws the wrong labels, which no other run needs

            return digits()[0]
        return load_images(
            [self.data] if alone else self.data,
            labels=self.labels,
            classes=self.classes,
            split=self.split,
            image_column=self.image_column,
            label_column=self.label_column,
            clean_column=self.clean_column,
            words=self.words,
            least_classes=least_classes,
            progress=progress,
        )


def _whole(value: Any) -> Any:
    if value is None or value in (DEMO, OWN):
        return value
    path = Path(value).expanduser()
    return os.path.abspath(path) if path.exists() else str(value)  # a Hub id is no path
