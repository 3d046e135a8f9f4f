"""One column of a Parquet file, cell by cell, with little memory: fast as long as the rows asked for rise."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

PIECE_BYTES = 16 << 20
"""Uncompressed bytes decoded at once: small row groups whole, large ones in pieces."""


def read_value(path: str, column: str, row: int) -> Any:
    """Return one cell as a Python value; neighbouring rows are kept for the next call.

    Raises:
        OSError: The file can't be read.
        ValueError: It isn't the Parquet file it was.
    """
    global _latest
    info = os.stat(path)
    key = (path, column, info.st_mtime_ns, info.st_size)
    cursor = _latest
    if cursor is None or cursor.key != key:
        cursor = _Cursor(key)
        _latest = cursor
    return cursor.value(row)


class _Cursor:
    """Decoded rows `start` to `stop` of one column, moved when another row is asked for."""

    def __init__(self, key: tuple[str, str, int, int]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.key = key
        self._file = pq.ParquetFile(key[0], buffer_size=1 << 20, pre_buffer=False)
        groups = self._file.metadata
        counts = [groups.row_group(group).num_rows for group in range(groups.num_row_groups)]
        self._starts = np.cumsum([0, *counts])
        self._group = -1
        self._batches: Any = iter(())
        self._piece: Any = None
        self._start = self._stop = 0
        self._broken: dict[int, tuple[int, str]] = {}  # row group to the first row that can't be decoded, and why
        self._faults = (OSError, ValueError, StopIteration, pa.lib.ArrowException)

    def value(self, row: int) -> Any:
        if not self._start <= row < self._stop:
            self._move_to(row)
        return self._piece[row - self._start].as_py()

    def _move_to(self, row: int) -> None:
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if not 0 <= group < len(self._starts) - 1:
            raise ValueError(f"row {row} is beyond the end")
        lost, why = self._broken.get(group, (row + 1, ""))
        if row >= lost:
            raise OSError(why)
        if group != self._group or row < self._start:
            about = self._file.metadata.row_group(group)
            rows = max(1, about.num_rows * PIECE_BYTES // max(about.total_byte_size, PIECE_BYTES))
            self._batches = self._file.iter_batches(rows, row_groups=[group], columns=[self.key[1]])
            self._group, self._start = group, int(self._starts[group])
            self._stop = self._start
        while row >= self._stop:
            batch = self._next_batch(group)
            self._piece = batch.column(0)
            self._start, self._stop = self._stop, self._stop + len(batch)

    def _next_batch(self, group: int) -> Any:
        """Return the next piece of a row group; where it is damaged, what comes after it there is lost too.

        Raises:
            OSError: It can't be decoded.
        """
        try:
            return next(self._batches)
        except self._faults as error:
            self._broken[group] = self._stop, str(error) or "rows are missing"
            self._group = -1  # a row before it is sought anew
            raise OSError(self._broken[group][1]) from error


_latest: _Cursor | None = None
"""The cursor of this process."""
