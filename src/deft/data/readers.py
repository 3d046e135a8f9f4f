"""Where the bytes of an image come from: one small class per kind of store, cheap to hand on to a process."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from deft.data.parquet import read_value
from deft.errors import DataError

IntArray = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]

LARGEST_FILE = 1 << 30
"""Bytes; a larger file is no photo, and would be read into memory whole."""


class ImageError(DataError):
    """One image can't be read; the message is the reason alone, without the file's name."""


class ImageReader(ABC):
    """Gives the encoded bytes (or the pixels) of image number `row`; can be pickled."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images that can be asked for."""

    @abstractmethod
    def read(self, row: int) -> bytes | Pixels:
        """Return the encoded image, or its pixels as uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

        Raises:
            ImageError: It can't be had.
        """

    @abstractmethod
    def describe(self, row: int) -> str:
        """Return where the image is, for people."""

    @abstractmethod
    def part(self, rows: IntArray) -> ImageReader:
        """Return a reader of only these rows, in this order: no larger to pickle than they are."""

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        """Return 16 bytes for each of these rows, which change when its place or its file's size or time does.

        None where there is no such sign that is cheaper than reading.
        """
        return None


@dataclass(frozen=True, eq=False)
class FileReader(ImageReader):
    """Images that are files.

    Args:
        paths: Their paths as the operating system gives them (undecodable bytes as surrogates).
    """

    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, row: int) -> bytes:
        return read_file(self.paths[row])

    def describe(self, row: int) -> str:
        return show_path(self.paths[row])

    def part(self, rows: IntArray) -> FileReader:
        return FileReader(tuple(self.paths[row] for row in rows.tolist()))

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        return [file_stamp(self.paths[row]) for row in rows.tolist()]


@dataclass(frozen=True, eq=False)
class ParquetReader(ImageReader):
    """Images whose bytes lie in a column of a Parquet file, read a piece of a row group at a time.

    Args:
        path: The file.
        column: A binary column, or a struct of `bytes` and `path` as Hugging Face writes it.
        rows: Row of the file for each image.
    """

    path: str
    column: str
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int) -> bytes:
        try:
            value = read_value(self.path, self.column, int(self.rows[row]))
        except (OSError, ValueError) as error:
            raise ImageError(f"damaged table: {one_line(error)}") from error
        return _bytes_of(value, os.path.dirname(self.path))

    def describe(self, row: int) -> str:
        return f"{show_path(self.path)}#{self.rows[row]}"

    def part(self, rows: IntArray) -> ParquetReader:
        return ParquetReader(self.path, self.column, self.rows[rows])

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        file = file_stamp(self.path) + self.column.encode()
        return [short_digest(file + str(row).encode()) for row in self.rows[rows].tolist()]


@dataclass(frozen=True, eq=False)
class DatasetReader(ImageReader):
    """Images of a Hugging Face `Dataset`, whose column is an `Image(decode=False)`.

    Args:
        dataset: The data set.
        column: The column with the images.
        name: What the data set is called.
    """

    dataset: Any
    column: str
    name: str

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, row: int) -> bytes:
        return _bytes_of(self.dataset[row][self.column], "")

    def describe(self, row: int) -> str:
        return f"{self.name}#{row}"

    def part(self, rows: IntArray) -> ArrayReader:
        values = self.dataset[rows.tolist()][self.column]
        return ArrayReader(tuple(_bytes_or_error(value) for value in values))

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        whole = f"{self.dataset._fingerprint} {self.column}"
        return [short_digest(f"{whole} {row}".encode()) for row in rows.tolist()]


@dataclass(frozen=True, eq=False)
class ArrayReader(ImageReader):
    """Images that are in memory.

    Args:
        items: A uint8 array with the images along its first axis, or a sequence of single ones: pixels,
            encoded bytes, or the reason why there is no image.
    """

    items: Pixels | Sequence[Pixels | bytes | ImageError]

    def __len__(self) -> int:
        return len(self.items)

    def read(self, row: int) -> bytes | Pixels:
        item = self.items[row]
        if isinstance(item, ImageError):
            raise item
        return item

    def describe(self, row: int) -> str:
        return f"array#{row}"

    def part(self, rows: IntArray) -> ArrayReader:
        if isinstance(self.items, np.ndarray):
            return ArrayReader(self.items[rows])
        return ArrayReader(tuple(self.items[row] for row in rows.tolist()))


def read_file(path: str) -> bytes:
    """Return the bytes of an ordinary file.

    Raises:
        ImageError: With a reason that a person understands.
    """
    problem = file_problem(path)
    if problem is not None:
        raise ImageError(problem)
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError as error:
        raise ImageError("permission denied") from error
    except OSError as error:
        raise ImageError(error.strerror or one_line(error)) from error


def file_problem(path: str) -> str | None:
    """Say why there can be no image at `path`, as far as can be told without opening it."""
    if not path:
        return "no file name"
    try:
        info = os.stat(path)
    except PermissionError:
        return "permission denied"
    except (FileNotFoundError, NotADirectoryError):
        return "broken link" if os.path.islink(path) else "file not found"
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long, a null byte
        return one_line(error.strerror or error) if isinstance(error, OSError) else one_line(error)
    if stat.S_ISDIR(info.st_mode):
        return "a folder, not an image"
    if not stat.S_ISREG(info.st_mode):
        return "not an ordinary file"
    if info.st_size > LARGEST_FILE:
        return f"too large: a file of {info.st_size / 1e9:.1f} GB"
    return None


def show_path(path: str) -> str:
    r"""Return a path as text that can be printed and stored anywhere (undecodable bytes as \xNN)."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair, as JSON may hold it
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: object) -> str:
    """Return an error's message on one line, at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _bytes_of(value: Any, folder: str) -> bytes:
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path")
        if data is None and path:
            return read_file(os.path.join(folder, path))
        value = data
    if value is None:
        raise ImageError("no image in this row")
    if not isinstance(value, bytes):
        raise ImageError(f"no image in this row but a {type(value).__name__}")
    return value


def _bytes_or_error(value: Any) -> bytes | ImageError:
    try:
        return _bytes_of(value, "")
    except ImageError as error:
        return error


def file_stamp(path: str) -> bytes:
    """Return bytes that change when a file does: its size and time."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return short_digest(b"missing")
    where = os.path.abspath(path).encode("utf-8", "surrogatepass")
    return short_digest(f"{info.st_size}:{info.st_mtime_ns}:".encode() + where)


def short_digest(data: bytes) -> bytes:
    """Return 16 bytes that stand for these."""
    return blake2b(data, digest_size=16).digest()
