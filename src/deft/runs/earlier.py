"""What a later run over the same images need not do again: the features that an earlier run kept, by content."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deft.errors import DataError
from deft.files import replace_file
from deft.manifest import intact, replace_sealed
from deft.runs.disk_rows import DiskRows
from deft.runs.near_files import FEATURES
from deft.runs.storage import read_columns

SEALED = (".json", ".npy")
"""Endings of files that are of use with their checksum alone."""
UNFINISHED = ".part"
"""Ending of a file that another process may still be writing."""
SEEN = "features"
"""Under which key of a detection's `info` it says what its features are features of."""


def kept_features(run: Path, name: str, content: Sequence[str]) -> np.ndarray | None:
    """Return the features that a run kept of some images, float32 (N, P), NaN for those that it didn't have.

    Args:
        run: Folder of the earlier run.
        name: What they must be features of: the model and how it was read (`FrozenPart.name`).
        content: Content of each image (`LabeledImages.content_id`), (N,).

    Returns:
        None where the run kept none, or those of another model.
    """
    try:
        columns, notes = read_columns(run)
        rows = DiskRows.load(run / FEATURES, len(columns["sample_id"]))
    except DataError:  # it is only a saving: without it, images are encoded
        return None
    if rows is None or not name or notes["info"].get(SEEN) != name or "content_id" not in columns:
        return None
    place = {one: row for row, one in enumerate(columns["content_id"])}
    known = np.array([place.get(one, -1) for one in content], np.int64)
    values = np.full((len(known), rows.values.shape[1]), np.nan, np.float32)
    values[known >= 0] = rows.take(known[known >= 0])
    return values


def link_computed(run: Path, new: Path, pattern: str) -> None:
    """Give a new run what an earlier one decoded or encoded, without copying it where the disk can do that.

    Args:
        run: Folder of the earlier run.
        new: Folder of the new run.
        pattern: Of the files' names. Those that a checksum belongs to must be whole, and have it in the new folder too.
    """
    for path in sorted(run.glob(pattern)):
        if (new / path.name).exists() or path.suffix == UNFINISHED:
            continue
        with contextlib.suppress(OSError):  # another process may have just removed it
            if path.suffix not in SEALED:
                with replace_file(new / path.name) as temporary:
                    _link(path, temporary)
            elif intact(path):
                with replace_sealed(new / path.name) as temporary:
                    _link(path, temporary)


def _link(path: Path, temporary: Path) -> None:
    temporary.unlink()
    try:
        os.link(path, temporary)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(path, temporary)
