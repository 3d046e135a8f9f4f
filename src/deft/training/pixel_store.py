"""`PixelStore`: all images of a run, decoded once, as squares in one file that is mapped into memory."""

from __future__ import annotations

import json
import mmap
import shutil
import tempfile
import threading
import weakref
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule
from deft.data.readers import IntArray, Pixels
from deft.errors import DataError
from deft.progress import Progress, Silent
from deft.training.decode_pool import Errors
from deft.training.store_file import StoreFacts, build_file, finished_file, told

RESIDENT_BYTES = 64 << 20
"""Pages that may be mapped before they are handed back; they remain in the system's own cache."""

_PAGES_OF_A_ROW = 2 << 20  # what the system may map around a single row

_VERSION = 2


class PixelStore:
    """Pixels of images that were decoded once; unreadable ones are black and have an error.

    Build one with `PixelStore.build`; close it, or use it in a `with` statement, or forget it.

    Attributes:
        side: Side of the squares, in pixels; at most the encoder's own.
        errors: Why a row can't be used ("file: reason"), by row.
        notes: What is odd about a picture that can be read, by row.
        rule: How the pictures became red, green and blue: the images' own rule, with the ranges that were found.
    """

    def __init__(self, path: Path, place: IntArray, errors: Errors, facts: StoreFacts, rule: PixelRule) -> None:
        count, side = len(place), facts.side
        self.side = side
        self.errors = errors
        self.notes = facts.notes
        self.rule = rule
        self._count = count
        self._place = place
        self._used = threading.Lock()  # a store isn't closed while another thread reads
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
            progress: Told how far the work has come.

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
            told_to = Silent() if progress is None else progress
            facts = finished_file(path, len(images), told_to) or build_file(stored, spec, path, workers, told_to)
            errors = told(images, {int(order[row]): reason for row, reason in facts.errors.items()})
            facts = replace(facts, notes={int(order[row]): note for row, note in facts.notes.items()})
            store = cls(path, np.argsort(order), errors, facts, images.pixels.with_ranges(facts.ranges))
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

    def read(self, rows: IntArray, *, into: Pixels | None = None) -> Pixels:
        """Return the pixels of some rows, uint8 (B, side, side, 3).

        Args:
            rows: Which, (B,).
            into: Where they are put; a new array if None.
        """
        found = np.empty((len(rows), self.side, self.side, 3), dtype=np.uint8) if into is None else into
        with self._used:
            if self._pixels is None:
                raise ValueError("The pixel store is closed.")
            step = max(1, RESIDENT_BYTES // (_PAGES_OF_A_ROW + self._pixels[:1].nbytes))
            for start in range(0, len(rows), step):
                found[start : start + step] = self._pixels[self._place[rows[start : start + step]]]
                if hasattr(mmap, "MADV_DONTNEED"):
                    self._map.madvise(mmap.MADV_DONTNEED)
        return found

    def close(self) -> None:
        """Let go of the file; a temporary one is removed."""
        with self._used:
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
    rule = [images.pixels.settings(), images.pixels.unknown]
    parts = (_VERSION, images.fingerprint, spec.kept, spec.fit, spec.interpolation, rule)
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
