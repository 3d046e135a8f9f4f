"""The file of a pixel store and its sidecar, built piece by piece, in two passes where pictures depend on others."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from deft.data.decode import shorter_side
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule, ValueRange, range_of_values
from deft.data.readers import ImageError
from deft.errors import DataError, UnreadableError
from deft.files import keep_on_disk, parse_json, reserve
from deft.manifest import intact, replace_sealed
from deft.progress import Progress
from deft.runs.folder import PIXELS
from deft.training.decode_pool import Errors, Filled, fill_by, fill_here, piece_rows, pieces

SMALLEST_SIDE = 8
"""No image is stored smaller than this, whatever its own size."""

SPARE = 64 << 20
"""Bytes that are left free for what else a run writes."""

IN_PROCESS = 1000
"""Fewer images than this are decoded without starting other processes, but for formats whose decoders may crash."""


@dataclass(frozen=True)
class StoreFacts:
    """What the sidecar says of a file of pixels.

    Args:
        side: Side of the squares.
        errors: Why a row can't be read.
        notes: What is odd about a row that can.
        ranges: Black and white of the pictures of more than 8 bits, by kind.
        sums: Checksum (CRC-32) of the pixels of each row that can be read.
    """

    side: int
    errors: Errors = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)
    ranges: Mapping[str, ValueRange] = field(default_factory=dict)
    sums: Mapping[int, int] = field(default_factory=dict)


def finished_file(path: Path, count: int, progress: Progress) -> StoreFacts | None:
    """Return what is known of a file that was completed; None for none, for a leftover, or for a damaged one.

    Args:
        path: Path of the pixels.
        count: Number of images.
        progress: Told how far the check of their checksums is.
    """
    sidecar = path.with_suffix(".json")
    try:
        if not intact(sidecar):
            return None
        about: dict[str, Any] = parse_json(sidecar.read_text("utf-8"))
        side = int(about["side"])
        sums = {int(row): int(one) for row, one in about["sums"].items()}
        errors, notes = ({int(row): str(text) for row, text in about[part].items()} for part in ("errors", "notes"))
        ranges = {str(kind): ValueRange(float(one["low"]), float(one["high"])) for kind, one in about["ranges"].items()}
        whole = path.stat().st_size == count * side * side * 3 and _as_written(path, side, sums, progress)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return StoreFacts(side, errors, notes, ranges, sums) if whole else None


def _as_written(path: Path, side: int, sums: Mapping[int, int], progress: Progress) -> bool:
    """Return whether the pixels of every row are those that were written."""
    size = side * side * 3
    rows = sorted(sums)
    step = piece_rows(side)
    starts = range(0, len(rows), step)
    with path.open("rb") as file:
        for start in progress.track(starts, "Checking decoded images", total=len(starts)):
            for row in rows[start : start + step]:
                file.seek(row * size)
                if crc32(file.read(size)) != sums[row]:
                    return False
    return True


def build_file(
    images: LabeledImages, spec: ImageSpec, path: Path, workers: int | None, progress: Progress
) -> StoreFacts:
    """Decode the images into a file; other files of its kind beside it go first.

    Args:
        images: What to decode.
        spec: The square that is wanted.
        path: Where the pixels go.
        workers: Processes to decode in; None for one per processor.
        progress: Told how far the work has come.

    Raises:
        DataError: No image can be read, or the disk is too small.
    """
    for old in path.parent.glob(PIXELS):
        old.unlink()
    side = _side(images, spec, progress)
    size = len(images) * side * side * 3
    _check_space(path.parent, size)
    part = path.with_suffix(".part")
    try:
        with open(part, "wb") as file:
            reserve(file.fileno(), size)
        facts = _Filling(images, spec, side, part, workers, progress).run()
        _refuse_nothing(images, facts.errors)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    keep_on_disk(part)
    os.replace(part, path)
    with replace_sealed(path.with_suffix(".json")) as about:
        about.write_text(json.dumps(asdict(facts)), "utf-8")
    return facts


class _Filling:
    """Fills a file: a pass over all images, and one over those that depend on others."""

    def __init__(
        self,
        images: LabeledImages,
        spec: ImageSpec,
        side: int,
        path: Path,
        workers: int | None,
        progress: Progress,
    ) -> None:
        self._images, self._spec, self._side, self._path = images, spec, side, path
        self._progress = progress
        count = min(_processors() if workers is None else workers, -(-len(images) // piece_rows(side)))
        self._count = count if len(images) >= IN_PROCESS else 1
        self._may_start = workers != 0

    def run(self) -> StoreFacts:
        """Fill the file, and return what there is to say of it."""
        rule = self._images.pixels
        done = self._fill(np.arange(len(self._images)), rule, "Reading images")
        deep = dict(done.unmeasured)
        if deep:
            measured = defaultdict(list)
            for kind, values in deep.values():
                measured[kind].append(values)
            found = {kind: range_of_values(kind, values) for kind, values in measured.items()}
            done.take(self._fill(np.array(sorted(deep)), rule.with_ranges(found), "Reading deep images"))
        return StoreFacts(self._side, done.errors, done.notes, done.depths, done.sums)

    def _fill(self, rows: np.ndarray, rule: PixelRule, task: str) -> Filled:
        """Decode some rows, here or in processes, those that may crash in a process in any case."""
        done = self._pass(rows, rule, task, self._count)
        if done.left:
            left, done.left = np.array(sorted(done.left)), []
            done.take(self._pass(left, rule, task, 1, apart=True))
        return done

    def _pass(self, rows: np.ndarray, rule: PixelRule, task: str, count: int, *, apart: bool = False) -> Filled:
        here = count <= 1 and not apart
        work = pieces(
            self._images,
            self._spec,
            self._side,
            os.fspath(self._path),
            rows=rows,
            rule=rule,
            everyday=here and self._may_start,
        )
        filled = fill_here(work) if here else fill_by(work, max(count, 1))
        done = Filled()
        try:
            for found in self._progress.track(filled, task, total=-(-len(rows) // piece_rows(self._side))):
                done.take(found)
        finally:
            filled.close()
        return done


def _side(images: LabeledImages, spec: ImageSpec, progress: Progress) -> int:
    """Return the side to store: that is wanted, or that of the largest image if all are smaller."""
    largest = SMALLEST_SIDE
    step = piece_rows(spec.kept)
    starts = range(0, len(images), step)
    for start in progress.track(starts, "Looking at sizes", total=len(starts)):
        reader = images.reader.part(images.rows[start : start + step])
        for row in range(len(reader)):
            try:
                largest = max(largest, shorter_side(reader.read(row), images.pixels))
            except ImageError:
                continue
            if largest >= spec.kept:
                return spec.kept
    return largest


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(16, len(os.sched_getaffinity(0)))
    return min(16, os.cpu_count() or 1)


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    needed = size + SPARE
    if needed > free:
        raise DataError(
            f"The decoded images need {needed / 1e9:.2f} GB in {folder}, where {free / 1e9:.2f} GB are free; "
            "choose another folder, or fewer images."
        )


def _refuse_nothing(images: LabeledImages, errors: Errors) -> None:
    if len(errors) == len(images):
        first = "; ".join(list(told(images, errors).values())[:3])
        reasons = {images.file_name[row]: reason for row, reason in told(images, errors).items()}
        raise UnreadableError(f"None of the {len(images)} images can be read: {first}.", reasons)


def told(images: LabeledImages, errors: Errors) -> Errors:
    """Return the reasons with the file's name before each, and those that were known before."""
    reasons = {**errors, **images.read_errors}
    return {row: f"{images.file_name[row]}: {reasons[row]}" for row in sorted(reasons)}
