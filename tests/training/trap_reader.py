"""Images of which one crashes and one hangs whoever reads it; a module of its own, so that processes can import it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from deft.data.readers import ImageReader, IntArray, Pixels


@dataclass(frozen=True, eq=False)
class Trap(ImageReader):
    """Gives images, but for one row that ends its process and one that never ends.

    Args:
        deadly: The row that ends the process.
        endless: The row that never ends.
        safe: Id of the process in which nothing happens.
        rows: Which rows there are.
    """

    deadly: int
    endless: int
    safe: int
    rows: tuple[int, ...] = tuple(range(20))

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int) -> Pixels:
        here = os.getpid() == self.safe
        if self.rows[row] == self.deadly and not here:
            os.kill(os.getpid(), signal.SIGSEGV)
        while self.rows[row] == self.endless and not here:
            time.sleep(60)
        return np.full((8, 8, 3), 100 + self.rows[row], np.uint8)

    def describe(self, row: int) -> str:
        return str(row)

    def part(self, rows: IntArray) -> Trap:
        return replace(self, rows=tuple(self.rows[row] for row in rows.tolist()))

    def identities(self, rows: IntArray) -> Iterator[bytes]:
        yield b""
