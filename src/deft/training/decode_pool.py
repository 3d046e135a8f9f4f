"""Decode many images into a file of equal squares, in this process or in several."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from deft.data.decode import decode
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.readers import ImageError, ImageReader
from deft.errors import DataError

PIECE_ROWS = 256
PIECE_BYTES = 8 << 20
"""Images that are decoded at once, and the bytes of their squares: what bounds the memory of each process."""

Errors = dict[int, str]


@dataclass(frozen=True)
class Piece:
    """Neighbouring images and the place of their pixels.

    Args:
        reader: Gives exactly these images.
        spec: How each becomes a square.
        side: Side of the square.
        path: The file of pixels, which has its full length already.
        start: Row of the first of them in that file.
    """

    reader: ImageReader
    spec: ImageSpec
    side: int
    path: str
    start: int

    def fill(self) -> Errors:
        """Decode and write; return the reasons for the rows that can't be, whose pixels are zero."""
        count = len(self.reader)
        pixels = np.zeros((count, self.side, self.side, 3), dtype=np.uint8)
        errors: Errors = {}
        for row in range(count):
            try:
                pixels[row] = decode(self.reader.read(row), self.spec, self.side)
            except ImageError as error:
                errors[self.start + row] = str(error)
        with open(self.path, "r+b") as file:
            file.seek(self.start * pixels[:1].nbytes)
            file.write(pixels.data)
        return errors


def pieces(images: LabeledImages, spec: ImageSpec, side: int, path: str) -> Iterator[Piece]:
    """Cut the images into pieces, in order."""
    step = piece_rows(side)
    for start in range(0, len(images), step):
        yield Piece(images.reader.part(images.rows[start : start + step]), spec, side, path, start)


def piece_rows(side: int) -> int:
    """Return the number of images in a piece."""
    return max(1, min(PIECE_ROWS, PIECE_BYTES // (side * side * 3)))


def fill_here(work: Iterable[Piece]) -> Generator[Errors, None, None]:
    """Fill the pieces one by one in this process."""
    for piece in work:
        yield piece.fill()


def fill_by(work: Iterable[Piece], count: int) -> Generator[Errors, None, None]:
    """Fill the pieces in `count` other processes; they end with this generator, however it ends.

    They are started as programs of their own rather than by multiprocessing, which would run the caller's
    script again in each: a script without a `__main__` guard, a notebook and standard input all work.

    Raises:
        DataError: A process was ended from outside, or the disk is full.
    """
    processes = [_start() for _ in range(count)]
    idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
    for process in processes:
        idle.put(process)
    threads = ThreadPoolExecutor(count)
    try:
        waiting: deque[Future[Errors]] = deque()
        for piece in work:
            waiting.append(threads.submit(_ask, idle, piece))
            if len(waiting) > 2 * count:  # no more in memory than keeps everyone busy
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for process in processes:
            process.kill()
        threads.shutdown(wait=True, cancel_futures=True)
        for process in processes:
            process.communicate()


def _start() -> subprocess.Popen[bytes]:
    program = f"import sys; sys.path[:] = {sys.path!r}; from deft.training.decode_worker import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # C libraries inside decoders write there
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def _ask(idle: queue.SimpleQueue[subprocess.Popen[bytes]], piece: Piece) -> Errors:
    process = idle.get()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump(piece, process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"A process that was reading images has ended (status {process.wait()}), most likely for want of "
            "memory; try again with fewer workers."
        ) from error
    finally:
        idle.put(process)
    if isinstance(answer, OSError):
        raise DataError(f"The pixels can't be written to {piece.path}: {answer}.") from answer
    if isinstance(answer, Exception):
        raise answer
    return dict(answer)
