"""Archives of images, read in place: nothing is unpacked, no name leads out of them, and sizes are bounded."""

from __future__ import annotations

import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from deft.data.endings import is_image
from deft.data.readers import (
    LARGEST_FILE,
    ImageError,
    ImageReader,
    IntArray,
    file_stamp,
    one_line,
    short_digest,
    show_path,
)
from deft.data.tree import Tree, finish_tree, passed_over
from deft.errors import DataError

_UNIX = 3  # the system that wrote a member of a zip file
_DRIVE = re.compile(r"[A-Za-z]:")

MOST_MEMBERS = 20_000_000
LARGEST_TABLE = 1 << 28
"""Bytes of a table within an archive."""


@dataclass(frozen=True, eq=False)
class TarReader(ImageReader):
    """Images in an uncompressed tar file, by their places in it.

    Args:
        path: The file.
        starts: First byte of each image, (N,).
        sizes: Number of bytes of each, (N,).
        names: Names of the members.
    """

    path: str
    starts: IntArray
    sizes: IntArray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def read(self, row: int) -> bytes:
        size = int(self.sizes[row])
        if size > LARGEST_FILE:
            raise ImageError(f"too large: a file of {size / 1e9:.1f} GB")
        try:
            with open(self.path, "rb") as file:
                file.seek(int(self.starts[row]))
                data = file.read(size)
        except OSError as error:
            raise ImageError(error.strerror or one_line(error)) from error
        if len(data) < size:
            raise ImageError("truncated: the archive ends within it")
        return data

    def describe(self, row: int) -> str:
        return f"{show_path(self.path)}/{show_path(self.names[row])}"

    def part(self, rows: IntArray) -> TarReader:
        names = tuple(self.names[row] for row in rows.tolist())
        return TarReader(self.path, self.starts[rows], self.sizes[rows], names)

    def stamps(self, rows: IntArray) -> list[bytes]:
        file = file_stamp(self.path)
        return [short_digest(file + str(start).encode()) for start in self.starts[rows].tolist()]


@dataclass(frozen=True, eq=False)
class ZipReader(ImageReader):
    """Images in a zip file.

    Args:
        path: The file.
        names: Names of the members.
    """

    path: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int) -> bytes:
        try:
            with _opened(self.path, file_stamp(self.path)).open(self.names[row]) as member:
                data = member.read(LARGEST_FILE + 1)
        except RuntimeError as error:  # what zipfile raises for a password
            raise ImageError("the archive is encrypted") from error
        except NotImplementedError as error:
            raise ImageError(f"packed in a way that can't be read: {one_line(error)}") from error
        except (OSError, KeyError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ImageError(f"damaged archive: {one_line(error)}") from error
        if len(data) > LARGEST_FILE:
            raise ImageError(f"too large: more than {LARGEST_FILE >> 30} GB when unpacked")
        return data

    def describe(self, row: int) -> str:
        return f"{show_path(self.path)}/{show_path(self.names[row])}"

    def part(self, rows: IntArray) -> ZipReader:
        return ZipReader(self.path, tuple(self.names[row] for row in rows.tolist()))

    def stamps(self, rows: IntArray) -> list[bytes]:
        file = file_stamp(self.path)
        names = (self.names[row].encode("utf-8", "surrogateescape") for row in rows.tolist())
        return [short_digest(file + name) for name in names]


@dataclass(eq=False)
class ArchiveTree(Tree):
    """An archive.

    Args:
        path: The file.
        where: What it is called.
        places: First byte and size of each member of a tar file; empty for a zip file.
        sizes: Size of each member when unpacked.
        spelt: Name in the zip file, of the members whose name has detours or Windows' path marks.
    """

    path: str
    where: str
    places: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    spelt: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def reader(self, names: Sequence[str]) -> ImageReader:
        if not self.places:
            return ZipReader(self.path, tuple(self.spelt.get(name, name) for name in names))
        starts = np.array([self.places.get(name, 0) for name in names], np.int64)
        sizes = np.array([self.sizes.get(name, 0) for name in names], np.int64)
        return TarReader(self.path, starts, sizes, tuple(names))

    def content(self, name: str) -> bytes:
        if self.sizes[name] > LARGEST_TABLE:
            raise DataError(f"{self.where}/{show_path(name)} is larger than {LARGEST_TABLE >> 20} MB.")
        data = self.reader([name]).read(0)
        assert isinstance(data, bytes)
        return data

    def problem(self, name: str) -> str | None:
        size = self.sizes.get(name, 0)
        return f"too large: a file of {size / 1e9:.1f} GB" if size > LARGEST_FILE else None


def archive_tree(path: Path) -> ArchiveTree:
    """List what a zip or tar file holds; only its directory is read.

    Args:
        path: The file, uncompressed or zip.

    Raises:
        DataError: It is damaged or encrypted, or of another kind than its name says.
    """
    tree = ArchiveTree(os.fspath(path.absolute()), show_path(str(path)))
    try:
        members = _zip_members(path) if path.suffix.lower() == ".zip" else _tar_members(path)
        for number, (name, start, size) in enumerate(members):
            if number >= MOST_MEMBERS:
                raise DataError(f"{path} has more than {MOST_MEMBERS} files.")
            _take(tree, name, start, size)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"{path} can't be read as an archive: {one_line(error)}.") from error
    finish_tree(tree)
    return tree


@lru_cache(maxsize=4)
def _opened(path: str, stamp: bytes) -> zipfile.ZipFile:
    """Return an open zip file; kept open, as reading its directory takes long, and reopened if the file changed."""
    return zipfile.ZipFile(path)


def _zip_members(path: Path) -> Iterator[tuple[str, int | None, int]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                if info.flag_bits & 1:
                    raise DataError(f"{path} is encrypted; unpack it first.")
                link = info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16)
                yield info.filename, -1 if link else None, info.file_size


def _tar_members(path: Path) -> Iterator[tuple[str, int | None, int]]:
    with tarfile.open(path, "r:", errors="surrogateescape") as archive:
        for info in archive:
            if info.isreg() and not info.issparse():
                yield info.name, info.offset_data, info.size
            elif not info.isdir():
                yield info.name, -1, 0


def _take(tree: ArchiveTree, name: str, start: int | None, size: int) -> None:
    windows = start is None and "\\" in name and "/" not in name  # some programs there write their own marks into zips
    parts = [part for part in (name.replace("\\", "/") if windows else name).split("/") if part != "."]
    plain = "/".join(parts)
    kind = passed_over(plain)
    if not parts[0] or _DRIVE.fullmatch(parts[0]) or ".." in parts or len(parts) > 60:
        tree.skipped["members whose path leaves the archive"] += 1
    elif start == -1:
        tree.skipped["links and other special members"] += 1
    elif kind is not None:
        tree.skipped[kind] += 1
    elif plain in tree.sizes:
        tree.skipped["members of a name that came before"] += 1
    else:
        tree.sizes[plain] = size
        if start is not None:
            tree.places[plain] = start
        elif plain != name:
            tree.spelt[plain] = name
        (tree.images if is_image(plain) else tree.others).append(plain)
