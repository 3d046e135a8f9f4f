"""Decode many images into a file of equal squares, in this process or in several."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from deft.data.decode import examine
from deft.data.depth import Unmeasured
from deft.data.image_notes import image_note
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.open_image import is_everyday
from deft.data.pixel_rule import PixelRule, ValueRange
from deft.data.readers import ImageError, ImageReader, IntArray, Pixels
from deft.errors import DataError
from deft.training.decode_process import DecodeProcess, Lost

PIECE_ROWS = 256
PIECE_BYTES = 8 << 20
"""Images that are decoded at once, and the bytes of their squares: what bounds the memory of each process."""

LOST_AT_START = 3
"""Processes that may end before their first image, one after the other."""

LOST_AT_MOST = 100
"""Processes that may end in all, where most images end one."""

TICK = 0.5  # seconds between two looks at the processes

Errors = dict[int, str]


@dataclass
class Filled:
    """What became of some rows; pixels of rows that have an error, or are unmeasured or left, are zero.

    Args:
        errors: Why a row can't be decoded.
        notes: What is odd about it.
        depths: Kind and range of pictures of more than 8 bits.
        unmeasured: Kind and values of pictures whose range depends on others.
        left: Rows that have to be decoded in another process.
        sums: Checksum (CRC-32) of the pixels of a row that was decoded.
    """

    errors: Errors = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    depths: dict[str, ValueRange] = field(default_factory=dict)
    unmeasured: dict[int, tuple[str, ValueRange]] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)
    sums: dict[int, int] = field(default_factory=dict)

    def take(self, other: Filled) -> None:
        """Add what became of other rows."""
        self.errors |= other.errors
        self.notes |= other.notes
        self.depths |= other.depths
        self.unmeasured |= other.unmeasured
        self.left += other.left
        self.sums |= other.sums


@dataclass(frozen=True)
class Piece:
    """Some images and the places of their pixels.

    Args:
        reader: Gives exactly these images.
        spec: How each becomes a square.
        side: Side of the square.
        path: The file of pixels, which has its full length already.
        rows: Their rows in that file, ascending, (B,).
        rule: Black, white, and the largest size.
        everyday: Whether to leave out images of formats whose decoders may crash or hang.
    """

    reader: ImageReader
    spec: ImageSpec
    side: int
    path: str
    rows: IntArray
    rule: PixelRule = field(default_factory=PixelRule)
    everyday: bool = False

    def fill(self, started: Callable[[int], None] = lambda number: None) -> Filled:
        """Decode and write.

        Args:
            started: Told the number of each image in the piece before it is read.
        """
        done = Filled()
        with open(self.path, "r+b") as file:
            for number, row in enumerate(self.rows.tolist()):
                started(number)
                pixels = self._one(number, row, done)
                if pixels is not None:
                    file.seek(row * pixels.nbytes)
                    file.write(pixels.data)
                    done.sums[row] = crc32(pixels.data)
        return done

    def _one(self, number: int, row: int, done: Filled) -> Pixels | None:
        """Decode an image, and say what became of it."""
        try:
            data = self.reader.read(number)
            if self.everyday and not is_everyday(data):
                done.left.append(row)
                return None
            found = examine(data, self.spec, self.side, self.rule)
        except ImageError as error:
            done.errors[row] = str(error)
            return None
        except Unmeasured as deep:
            done.unmeasured[row] = (deep.kind, deep.measured)
            return None
        if found.depth is not None:
            done.depths[found.depth[0]] = found.depth[1]
        note = image_note(found.pixels, found.size, found.not_finite, cut_off=found.cut_off)
        if note is not None:
            done.notes[row] = note
        return found.pixels

    def part(self, numbers: slice) -> Piece:
        """Return a piece of only some of the images."""
        chosen = np.arange(len(self.rows))[numbers]
        return replace(self, reader=self.reader.part(chosen), rows=self.rows[chosen])


def pieces(
    images: LabeledImages,
    spec: ImageSpec,
    side: int,
    path: str,
    *,
    rows: IntArray | None = None,
    rule: PixelRule | None = None,
    everyday: bool = False,
) -> Iterator[Piece]:
    """Cut the images, or those of some rows, into pieces, in order."""
    step = piece_rows(side)
    chosen = np.arange(len(images)) if rows is None else rows
    for start in range(0, len(chosen), step):
        part = chosen[start : start + step]
        reader = images.reader.part(images.rows[part])
        yield Piece(reader, spec, side, path, part, rule or images.pixels, everyday)


def piece_rows(side: int) -> int:
    """Return the number of images in a piece."""
    return max(1, min(PIECE_ROWS, PIECE_BYTES // (side * side * 3)))


def fill_here(work: Iterable[Piece]) -> Generator[Filled, None, None]:
    """Fill the pieces one by one in this process."""
    for piece in work:
        yield piece.fill()


def fill_by(work: Iterable[Piece], count: int) -> Generator[Filled, None, None]:
    """Fill the pieces in `count` other processes; they end with this generator, however it ends.

    An image on which a process ends, or that takes longer than the rule allows, becomes an error of its row.

    Raises:
        DataError: Processes end one after the other without decoding anything, or the disk is full.
    """
    team = _Team(count)
    threads = ThreadPoolExecutor(count)
    try:
        waiting: deque[Future[Filled]] = deque()
        for piece in work:
            waiting.append(threads.submit(team.fill, piece))
            if len(waiting) > 2 * count:  # no more in memory than keeps everyone busy
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        team.end()
        threads.shutdown(wait=True, cancel_futures=True)
        team.close()


class _Team:
    """Processes that decode, and a watch that ends those that hang."""

    def __init__(self, count: int) -> None:
        self._idle: queue.SimpleQueue[DecodeProcess] = queue.SimpleQueue()
        self._running: list[DecodeProcess] = []
        self._lock = threading.Lock()
        self._decoded = self._lost = self._lost_at_start = 0
        self._ended = threading.Event()
        for _ in range(count):
            self._start()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def fill(self, piece: Piece) -> Filled:
        """Have a piece filled, whatever becomes of the processes."""
        done = Filled()
        again: set[int] = set()
        waiting = [piece]
        while waiting and not self._ended.is_set():
            one = waiting.pop()
            found = self._ask(one)
            if isinstance(found, Filled):
                done.take(found)
                continue
            if found.number < 0:
                waiting.append(one)
                continue
            row = int(one.rows[found.number])
            if found.timed_out or row in again:
                done.errors[row] = found.reason
            else:  # it may have been ended from outside, for want of memory: once more, alone
                again.add(row)
                waiting.append(one.part(slice(found.number, found.number + 1)))
            # Pixels of those before it were written, but what there is to say of them is lost.
            rest = (slice(0, found.number), slice(found.number + 1, None))
            waiting += [part for part in map(one.part, rest) if len(part.rows)]
        return done

    def end(self) -> None:
        """End all processes, whatever they are doing."""
        self._ended.set()
        with self._lock:
            for process in self._running:
                process.kill()
        self._watch.join()

    def close(self) -> None:
        """Let go of the processes, once nobody waits for them."""
        for process in self._running:
            process.close()

    def _ask(self, piece: Piece) -> Filled | Lost:
        process = self._idle.get()
        answer = process.ask(piece, piece.rule.max_seconds)
        if isinstance(answer, Lost):
            self._replace(process, answer)
            return answer
        self._idle.put(process)
        if isinstance(answer, OSError):
            raise DataError(f"The pixels can't be written to {piece.path}: {answer}.") from answer
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Filled)
        with self._lock:
            self._decoded += len(piece.rows)
            self._lost_at_start = 0
        return answer

    def _replace(self, process: DecodeProcess, lost: Lost) -> None:
        with self._lock:
            if self._ended.is_set():
                self._idle.put(process)
                return
            self._lost += 1
            self._lost_at_start = self._lost_at_start + 1 if lost.number < 0 else 0
            self._running.remove(process)
        process.close()
        self._start()
        if self._lost_at_start >= LOST_AT_START or self._lost > max(LOST_AT_MOST, self._decoded):
            raise DataError(
                f"{self._lost} processes that were reading images have ended, the last one because an image "
                f"{lost.reason}; try again with fewer workers."
            )

    def _start(self) -> None:
        process = DecodeProcess()
        with self._lock:
            self._running.append(process)
            if self._ended.is_set():
                process.kill()
        self._idle.put(process)

    def _look(self) -> None:
        while not self._ended.wait(TICK):
            with self._lock:
                running = list(self._running)
            for process in running:
                process.look()
