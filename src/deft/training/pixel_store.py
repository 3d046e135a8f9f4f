"""`PixelStore`: all images of a run, decoded once, as squares in one file that is mapped into memory."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import tempfile
import weakref
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from deft.data.decode import shorter_side
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.readers import ImageError, IntArray, Pixels
from deft.errors import DataError
from deft.files import replace_file
from deft.progress import Progress, Silent
from deft.training.decode_pool import Errors, fill_by, fill_here, piece_rows, pieces

SMALLEST_SIDE = 8
"""No image is stored smaller than this, whatever its own size."""

IN_PROCESS = 1000
"""Fewer images than this are decoded without starting other processes."""

RESIDENT_BYTES = 64 << 20
"""Pages that may be mapped before they are handed back; they remain in the system's own cache."""

_PAGES_OF_A_ROW = 2 << 20  # what the system may map around a single row

_VERSION = 1


class PixelStore:
    """Pixels of images that were decoded once; unreadable ones are black and have an error.

    Build one with `PixelStore.build`; close it, or use it in a `with` statement, or forget it.

    Attributes:
        side: Side of the squares, in pixels; at most the encoder's own.
        errors: Why a row can't be used ("file: reason"), by row.
    """

    def __init__(self, path: Path, place: IntArray, side: int, errors: Errors) -> None:
        count = len(place)
        self.side = side
        self.errors = errors
        self._count = count
        self._place = place
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._pixels: Pixels | None = np.frombuffer(self._map, np.uint8).reshape(count, side, side, 3)
        self._cleaner: weakref.finalize[Any, PixelStore] | None = None

    @classmethod
    def build(
        cls,
        images: LabeledImages,
        spec: ImageSpec,
        folder: Path | None,
        *,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> PixelStore:
        """Decode the images, or find them decoded already.

        Args:
            images: What to decode; labels play no part.
            spec: The square that is wanted. Images that are all smaller are stored smaller.
            folder: Where the file is kept for next time, alone of its kind; None for a temporary folder
                that goes with the store.
            workers: Processes to decode in; by default one per processor, or none for few images.
            progress: Told how far it is.

        Raises:
            DataError: No image can be read, or the disk is too small.
        """
        if not len(images):
            raise DataError("There are no images to read.")
        place = Path(tempfile.mkdtemp(prefix="deft-pixels-")) if folder is None else folder
        try:
            place.mkdir(parents=True, exist_ok=True)
            order = np.argsort(images.rows, kind="stable")  # as they lie at their source: tables are slow otherwise
            stored = images.keep(order)
            path = place / f"pixels-{_key(stored, spec)}.u8"
            about = _finished(path, len(images))
            if about is None:
                about = _decode(stored, spec, path, workers, Silent() if progress is None else progress)
            side, errors = about
            found = {int(order[row]): reason for row, reason in errors.items()}
            store = cls(path, np.argsort(order), side, _told(images, found))
        except BaseException as error:
            if folder is None:
                shutil.rmtree(place, ignore_errors=True)
            if isinstance(error, OSError):
                raise DataError(f"The pixels can't be kept in {place}: {error}.") from error
            raise
        if folder is None:
            store._cleaner = weakref.finalize(store, shutil.rmtree, place, ignore_errors=True)
        return store

    def __len__(self) -> int:
        return self._count

    def read(self, rows: IntArray) -> Pixels:
        """Return the pixels of some rows, uint8 (B, side, side, 3)."""
        if self._pixels is None:
            raise ValueError("The pixel store is closed.")
        found = np.empty((len(rows), *self._pixels.shape[1:]), dtype=np.uint8)
        step = max(1, RESIDENT_BYTES // (_PAGES_OF_A_ROW + self._pixels[:1].nbytes))
        for start in range(0, len(rows), step):
            found[start : start + step] = self._pixels[self._place[rows[start : start + step]]]
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)
        return found

    def close(self) -> None:
        """Let go of the file; a temporary one is removed."""
        self._pixels = None
        self._map.close()
        if self._cleaner is not None:
            self._cleaner()

    def __enter__(self) -> PixelStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _key(images: LabeledImages, spec: ImageSpec) -> str:
    parts = (_VERSION, images.fingerprint, spec.size, spec.fit, spec.interpolation)
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def _finished(path: Path, count: int) -> tuple[int, Errors] | None:
    """Return side and errors of a store that was completed; None for none, or for a leftover."""
    try:
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        side = int(about["side"])
        errors = {int(row): str(reason) for row, reason in about["errors"].items()}
        whole = path.stat().st_size == count * side * side * 3
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (side, errors) if whole else None


def _decode(
    images: LabeledImages, spec: ImageSpec, path: Path, workers: int | None, progress: Progress
) -> tuple[int, Errors]:
    for old in path.parent.glob("pixels-*"):
        old.unlink()
    side = _side(images, spec, progress)
    size = len(images) * side * side * 3
    _check_space(path.parent, size)
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        file.truncate(size)
    work = pieces(images, spec, side, os.fspath(part))
    total = -(-len(images) // piece_rows(side))
    count = min(_processors() if workers is None else workers, total)
    filled = fill_here(work) if count <= 1 or len(images) < IN_PROCESS else fill_by(work, count)
    errors: Errors = {}
    try:
        for found in progress.track(filled, "Reading images", total=total):
            errors |= found
        _refuse_nothing(images, errors)
    except BaseException:
        filled.close()
        part.unlink(missing_ok=True)
        raise
    os.replace(part, path)
    with replace_file(path.with_suffix(".json")) as about:
        about.write_text(json.dumps({"side": side, "errors": errors}), "utf-8")
    return side, errors


def _side(images: LabeledImages, spec: ImageSpec, progress: Progress) -> int:
    """Return the side to store: the encoder's, or that of the largest image if all are smaller."""
    largest = SMALLEST_SIDE
    step = piece_rows(spec.size)
    starts = range(0, len(images), step)
    for start in progress.track(starts, "Looking at sizes", total=len(starts)):
        reader = images.reader.part(images.rows[start : start + step])
        for row in range(len(reader)):
            try:
                largest = max(largest, shorter_side(reader.read(row)))
            except ImageError:
                continue
            if largest >= spec.size:
                return spec.size
    return largest


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(16, len(os.sched_getaffinity(0)))
    return min(16, os.cpu_count() or 1)


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + (64 << 20) > free:
        raise DataError(
            f"The decoded images need {size / 1e9:.2f} GB in {folder}, where {free / 1e9:.2f} GB are free; "
            "choose another folder, or fewer images with --limit."
        )


def _refuse_nothing(images: LabeledImages, errors: Errors) -> None:
    if len(errors) == len(images):
        first = "; ".join(list(_told(images, errors).values())[:3])
        raise DataError(f"None of the {len(images)} images can be read: {first}.")


def _told(images: LabeledImages, errors: Errors) -> Errors:
    reasons = {**errors, **images.read_errors}
    return {row: f"{images.file_name[row]}: {reasons[row]}" for row in sorted(reasons)}
