"""One worker of a scoring: it judges parts and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deft.data.images import LabeledImages
from deft.engines.judges import Judge, Loaded
from deft.engines.ledger import Record
from deft.engines.parts import Part, PartReader, Unit
from deft.errors import UnreadableError
from deft.files import replace_file
from deft.manifest import checksum
from deft.runs.detection import Detection, Verdicts
from deft.runs.judged import new_detection
from deft.runs.storage import as_arrow
from deft.training.workspace import Workspace

SOMETIMES = ("noise_threshold", "duplicate_group", "duplicate_kind", "none_prob", "prompt_margin")
"""Columns that a detection has or hasn't; every part has them all, so that parts are one data set."""


@dataclass(frozen=True)
class Work:
    """What every worker needs to know.

    Args:
        units: The data.
        judge: What judges them.
        parts: Folder for the verdicts.
        device: Where the model runs.
        workers: Processes that decode images; None takes one per core.
        max_pixels: A larger image isn't decoded; None takes the default.
        max_seconds: An image that takes longer is given up; None takes the default.
    """

    units: tuple[Unit, ...]
    judge: Judge
    parts: str
    device: str = "auto"
    workers: int | None = None
    max_pixels: int | None = None
    max_seconds: float | None = None


class Scorer:
    """Judges parts, one after the other.

    Args:
        work: What to do it with.
        reader: Reads the parts; a new one if not given.
    """

    def __init__(self, work: Work, reader: PartReader | None = None) -> None:
        self._work = work
        self._judge = work.judge.load(work.device)
        self._reader = reader or PartReader(work.units)
        self._space = Workspace(workers=work.workers)

    def score(self, part: Part) -> Record:
        """Judge a part, and write its verdicts as a whole.

        Args:
            part: Which.

        Returns:
            What to note of it.

        Raises:
            DataError: The data can't be read, or has classes that the judge doesn't know.
        """
        images = self._judge.known(self._limited(self._reader.read(part)))
        try:
            found = self._judge.judge(images, self._space)
        except UnreadableError as error:
            found = _unreadable(images, [error.reasons[name] for name in images.file_name], self._judge)
        path = Path(self._work.parts) / part.file
        with replace_file(path) as temporary:
            pq.write_table(_stored(found), temporary)
        return Record(part.file, len(found), int(found.judged.sum()), int(found.is_label_issue.sum()), checksum(path))

    def _limited(self, images: LabeledImages) -> LabeledImages:
        given = {"max_pixels": self._work.max_pixels, "max_seconds": self._work.max_seconds}
        limits = {name: value for name, value in given.items() if value is not None}
        return replace(images, pixels=replace(images.pixels, **limits)) if limits else images  # type: ignore[arg-type]


def _unreadable(images: LabeledImages, reasons: Sequence[str], judge: Loaded) -> Detection:
    """Return the detection of images none of which can be read."""
    rows, none = len(images), np.full((len(images), 1), -1, np.int64)
    nan = np.full(rows, np.nan, np.float32)
    verdicts = Verdicts(nan, np.zeros(rows, np.bool_), none[:, 0], none, np.full((rows, 1), np.nan, np.float32))
    return new_detection(images, verdicts, read_errors=dict(enumerate(reasons)), settings=judge.settings(), info={})


def _stored(found: Detection) -> pa.Table:
    """Return a detection as the table of a part."""
    table = found.table.copy()
    for name in SOMETIMES:
        if name not in table:
            table[name] = None
    last = [name for name in table.columns if name not in SOMETIMES]
    stored = as_arrow(table[[*last, *SOMETIMES]])
    return stored.append_column("is_clean", pa.array(found.is_clean))
