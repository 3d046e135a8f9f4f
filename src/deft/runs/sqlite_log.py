"""The SQLite file that holds a log of decisions: opened to write, or to read without leaving a trace."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from deft.errors import DataError
from deft.files import keep_on_disk, strict_json, temporary_folder

FORMAT = 2  # PRAGMA user_version of the file
BUSY_SECONDS = 10.0  # how long a write waits for another process's

_SCHEMA = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    sample_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('decide', 'undo')),
    status TEXT NOT NULL,
    from_label TEXT NOT NULL,
    to_label TEXT,
    reviewer TEXT NOT NULL,
    time TEXT NOT NULL,
    checksum TEXT NOT NULL,
    UNIQUE (sample_id, revision)
)
"""
_COLUMNS = "sample_id, revision, action, status, from_label, to_label, reviewer, time"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a log in write-ahead mode with full synchronisation; a new one is made where there is none.

    Raises:
        DataError: The file is of another format, or damaged.
    """
    if not path.exists():
        _make(path)
    _refuse_nothing(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, *, known: bool = False) -> sqlite3.Connection:
    """Open a log to read it.

    SQLite makes files beside a log in write-ahead mode even to read it, which takes the right to write. Where the file
    `-wal` isn't there, nobody has the log open, and it is read as a plain file (`immutable`).

    Args:
        path: The file.
        known: Whether it was found whole before, so that it isn't looked through again.

    Raises:
        DataError: The file is of another format.
    """
    _refuse_nothing(path)
    busy = path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'' if busy else '&immutable=1'}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
    try:
        if not known:
            _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run what is inside as one transaction; what fails leaves nothing behind."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def read_rows(connection: sqlite3.Connection, sample_id: str | None, after: int) -> list[tuple[Any, ...]]:
    """Return rows of the log in the order in which they were written: number, then what `add_row` was given.

    Args:
        connection: To the file.
        sample_id: Only about this image; None for all.
        after: Only rows with a larger number.

    Raises:
        DatabaseError: A row isn't as it was written, or one is missing.
    """
    chosen = "" if sample_id is None else "AND sample_id = ?"
    values: list[object] = [after] if sample_id is None else [after, sample_id]
    asked = f"SELECT id, {_COLUMNS}, checksum FROM log WHERE id > ? {chosen} ORDER BY id"
    found: list[tuple[Any, ...]] = []
    for number, *row, checksum in connection.execute(asked, values):
        # The log only grows, so its numbers have no gaps.
        gap = sample_id is None and number != after + len(found) + 1
        if gap or checksum != _checksum(row):
            raise sqlite3.DatabaseError(f"entry {number} isn't as it was written")
        found.append((number, *row))
    return found


def add_row(connection: sqlite3.Connection, row: Sequence[str | int | None]) -> None:
    """Write a row at the end of the log.

    Args:
        connection: To the file, in a transaction.
        row: Image, revision, action, status, label before, label after, reviewer and time.
    """
    marks = ", ".join("?" * (len(row) + 1))
    connection.execute(f"INSERT INTO log ({_COLUMNS}, checksum) VALUES ({marks})", (*row, _checksum(row)))


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one sentence."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # sqlite quotes what it can't read, as text
        raise DataError(f"{path} can't be read or written as a log of decisions: {error}.") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set a connection up for writing."""
    _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _make(path: Path) -> None:
    """Make an empty log, which is there as a whole or not at all; one that another process makes meanwhile stays."""
    with temporary_folder(path) as folder:
        with contextlib.closing(sqlite3.connect(folder / path.name, isolation_level=None)) as made, transaction(made):
            made.execute(_SCHEMA)
            made.execute(f"PRAGMA user_version = {FORMAT}")
        keep_on_disk(folder / path.name)
        try:
            os.link(folder / path.name, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            os.replace(folder / path.name, path)
        keep_on_disk(path.parent)


def _refuse_nothing(path: Path) -> None:
    """Refuse an empty file, which SQLite would take for a new one: what was decided would be gone without a word."""
    if path.stat().st_size == 0:
        raise sqlite3.DatabaseError("it is empty, and was not when it was written")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({' '.join(str(sound).split())})")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != FORMAT:
        raise DataError(f"{path} has format {found}; this deft reads format {FORMAT}.")


def _checksum(row: Sequence[str | int | None]) -> str:
    return blake2b(strict_json(list(row), indent=None).encode(), digest_size=8).hexdigest()
