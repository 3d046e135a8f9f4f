"""The images of a run as small files, for the page."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from deft.data.images import LabeledImages
from deft.data.readers import FileReader
from deft.data.thumbnails import image_size, thumbnail

SIDES = (160, 640, 1920)  # of a tile, of the single view and enlarged, in pixels; no other size is made
KEPT_BYTES = 64 << 20


class Pictures:
    """Makes small files and keeps the latest ones; safe to use from several threads.

    Args:
        images: Where they come from; nothing else can be read through this.
    """

    def __init__(self, images: LabeledImages) -> None:
        self._images = images
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        # Files can be decoded side by side; a table's reader stands at one place of it at a time.
        files = isinstance(images.reader, FileReader)
        self._reading = contextlib.nullcontext() if files else threading.Lock()

    def about(self, row: int) -> dict[str, Any]:
        """Return width and height of an image, and date and path of its file, as far as there are such.

        Args:
            row: Which one.
        """
        reader = self._images.reader
        with self._reading:
            size = image_size(self._images, row)
        if not isinstance(reader, FileReader):
            return {"size": size, "modified": None, "path": None}
        path = Path(reader.paths[int(self._images.rows[row])])
        try:
            modified = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
        except OSError:  # gone since
            modified = None
        return {"size": size, "modified": modified, "path": os.fsencode(path).decode("utf-8", "replace")}

    def get(self, row: int, side: int) -> bytes:
        """Return an image as WebP.

        Args:
            row: Which one.
            side: One of `SIDES`.

        Raises:
            DataError: It can't be read.
        """
        key = (row, side)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._reading:
            made = thumbnail(self._images, row, side=side)
        with self._lock:
            self._size += len(made) - len(self._kept.get(key, b""))
            self._kept[key] = made
            while self._size > KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made
