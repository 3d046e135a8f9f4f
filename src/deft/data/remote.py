"""Data in a store such as S3, read in place through fsspec: folders of images, and tables."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deft.data.assemble import SourceRows
from deft.data.columns import Columns
from deft.data.endings import ARCHIVE_ENDINGS, TABLE_ENDINGS, is_image
from deft.data.folders import from_tree
from deft.data.parquet_tables import from_parquet
from deft.data.readers import (
    LARGEST_FILE,
    ArrayReader,
    ImageError,
    ImageReader,
    IntArray,
    Pixels,
    one_line,
    short_digest,
    show_path,
)
from deft.data.tree import Tree, finish_tree, passed_over
from deft.data.tree_tables import from_tree_table
from deft.errors import DataError
from deft.progress import Progress

STORES = ("s3", "s3a", "gs", "gcs", "abfs", "az", "adl", "oss", "hdfs", "memory")
"""What stands before `://` in addresses that are read in place."""

LARGEST_TABLE = 1 << 28
"""Bytes of a table in a store; of a Parquet file with images in it, eight times as many."""

_CHANGES = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "last_modified", "created")
"""What stores call the field that changes with a file."""


@dataclass(frozen=True, eq=False)
class RemoteReader(ImageReader):
    """Images that are files of a store.

    Args:
        address: Of the folder above them.
        names: Their names below it.
        versions: What changes when a file does, one for each; empty where the store tells nothing of the kind.
    """

    address: str
    names: tuple[str, ...]
    versions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int) -> bytes:
        try:
            # Opened anew: in another process than the one that listed it, a connection can't be used (fsspec keeps one
            # for each process).
            files, root = _opened(self.address)
            return bytes(files.cat_file(f"{root}/{self.names[row]}"))
        except FileNotFoundError as error:
            raise ImageError("file not found") from error
        except PermissionError as error:
            raise ImageError("permission denied") from error
        except Exception as error:  # each store raises errors of its own
            raise ImageError(f"the store doesn't give it: {one_line(error)}") from error

    def describe(self, row: int) -> str:
        return f"{self.address}/{show_path(self.names[row])}"

    def part(self, rows: IntArray) -> RemoteReader:
        places = rows.tolist()
        versions = tuple(self.versions[row] for row in places) if self.versions else ()
        return RemoteReader(self.address, tuple(self.names[row] for row in places), versions)

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        if not self.versions:
            return None
        return [short_digest(f"{self.describe(row)} {self.versions[row]}".encode()) for row in rows.tolist()]


@dataclass(eq=False)
class RemoteTree(Tree):
    """A folder of a store.

    Args:
        where: Its address.
        about: What the store says about each file.
    """

    where: str
    about: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def reader(self, names: Sequence[str]) -> RemoteReader:
        versions = [_version(self.about.get(name, {})) for name in names]
        known = all(version is not None for version, name in zip(versions, names, strict=True) if name in self.about)
        return RemoteReader(self.where, tuple(names), tuple(map(str, versions)) if known else ())

    def content(self, name: str) -> bytes:
        return self.bytes_of(name, LARGEST_TABLE)

    def bytes_of(self, name: str, most: int) -> bytes:
        """Return a file's bytes.

        Args:
            name: Of the file.
            most: Bytes that it may have.

        Raises:
            DataError: It has more, or can't be read.
        """
        if self._size(name) > most:
            raise DataError(f"{self.where}/{show_path(name)} is larger than {most >> 20} MB: copy it to this machine.")
        try:
            return self.reader([name]).read(0)
        except ImageError as error:
            raise DataError(f"{self.where}/{show_path(name)} can't be read: {error}.") from error

    def problem(self, name: str) -> str | None:
        size = self._size(name)
        return f"too large: a file of {size / 1e9:.1f} GB" if size > LARGEST_FILE else None

    def _size(self, name: str) -> int:
        return int(self.about.get(name, {}).get("size") or 0)


def scheme_of(source: str) -> str | None:
    """Return what stands before `://` in an address of a store that is read in place; None for all else.

    Args:
        source: As the user wrote it.
    """
    scheme, found, _ = source.partition("://")
    return scheme.lower() if found and scheme.lower() in STORES else None


def check_store(scheme: str) -> None:
    """Refuse a store for which a package is missing.

    Args:
        scheme: What stands before `://`.

    Raises:
        DataError: It is.
    """
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise DataError(
            f"Reading {scheme}:// needs one more package ({one_line(error)}): pip install 'deft-labels[remote]' for "
            "S3 and Google Cloud."
        ) from error


def remote_tree(address: str) -> RemoteTree:
    """List a folder of a store; nothing is opened.

    Args:
        address: Such as `s3://bucket/photos`.

    Raises:
        DataError: There is nothing, or the store can't be reached.
    """
    address = address.rstrip("/")
    try:
        files, root = _opened(address)
        found = files.find(root, detail=True)
    except FileNotFoundError:
        found = {}
    except Exception as error:  # each store raises errors of its own
        raise DataError(f"{address} can't be reached: {one_line(error)}.") from error
    tree = RemoteTree(address)
    for path, about in found.items():
        name = str(path).removeprefix(root).lstrip("/")
        kind = passed_over(name)
        if kind is not None:
            tree.skipped[kind] += 1
        elif name:
            tree.about[name] = about
            (tree.images if is_image(name) else tree.others).append(name)
    if not found:
        raise DataError(f"There is nothing at {address}.")
    finish_tree(tree)
    return tree


def from_address(address: str, columns: Columns, progress: Progress) -> SourceRows:
    """Read a folder or a table of a store.

    Args:
        address: Of a folder in a layout of docs/data.md, or of a table; its paths are relative to it.
        columns: What the user says about columns.
        progress: Told of guesses.

    Raises:
        DataError: There is none, or it isn't understood.
    """
    ending = os.path.splitext(address)[1].lower()
    if ending in ARCHIVE_ENDINGS:
        raise DataError(f"{address} is an archive, which is read in place on this machine only: copy it here.")
    if ending not in TABLE_ENDINGS:
        return from_tree(remote_tree(address), columns, progress)
    above, _, name = address.rpartition("/")
    tree = remote_tree(above)
    if name not in tree.others:
        raise DataError(f"There is no table at {address}.")
    if ending == ".parquet":
        return _from_parquet(tree, name, columns, progress)
    return from_tree_table(tree, name, columns, progress)


def _from_parquet(tree: RemoteTree, name: str, columns: Columns, progress: Progress) -> SourceRows:
    """Read a Parquet file with images in it, which are then in memory."""
    data = tree.bytes_of(name, 8 * LARGEST_TABLE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        try:
            found = from_parquet(path, columns, progress)
        except DataError as error:
            raise DataError(str(error).replace(str(path), f"{tree.where}/{name}")) from error
        found.reader = ArrayReader(tuple(_item(found.reader, row) for row in range(len(found.reader))))
    found.source = f"{tree.where}/{name}"
    return found


def _item(reader: ImageReader, row: int) -> bytes | Pixels | ImageError:
    try:
        return reader.read(row)
    except ImageError as error:
        return error


def _opened(address: str) -> tuple[Any, str]:
    import fsspec

    files, root = fsspec.core.url_to_fs(address)
    return files, str(root).rstrip("/")


def _version(about: Mapping[str, Any]) -> str | None:
    """Return what changes when a file does, as far as the store tells."""
    told = next((about[name] for name in _CHANGES if about.get(name) is not None), None)
    return None if told is None else f"{about.get('size')} {told}"
