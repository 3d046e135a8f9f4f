"""The SQLite file that holds a log of decisions: opened to write, or to read without leaving a trace."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deft.errors import DataError

FORMAT = 1  # PRAGMA user_version of the file
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
    UNIQUE (sample_id, revision)
)
"""
_COLUMNS = "id, sample_id, revision, action, status, from_label, to_label, reviewer, time"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a log in write-ahead mode with full synchronisation; a new one is made where there is none.

    Raises:
        DataError: The file is of another format.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a log to read it.

    SQLite makes files beside a log in write-ahead mode even to read it, which takes the right to write. Where the file
    `-wal` isn't there, nobody has the log open, and it is read as a plain file (`immutable`).

    Raises:
        DataError: The file is of another format.
    """
    busy = path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'' if busy else '&immutable=1'}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        _check_format(found, path)
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
    """Return rows of the log in the order in which they were written.

    Args:
        connection: To the file.
        sample_id: Only about this image; None for all.
        after: Only rows with a larger number.
    """
    chosen = "" if sample_id is None else "AND sample_id = ?"
    values: list[object] = [after] if sample_id is None else [after, sample_id]
    found = connection.execute(f"SELECT {_COLUMNS} FROM log WHERE id > ? {chosen} ORDER BY id", values).fetchall()
    return found


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise DataError(f"{path} can't be read or written as a log of decisions: {error}.") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set a connection up for writing, and make the table if the file is new."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with transaction(connection):
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if found == 0 and tables == 0:
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        else:
            _check_format(found, path)


def _check_format(found: int, path: Path) -> None:
    if found != FORMAT:
        raise DataError(f"{path} has format {found}; this deft reads format {FORMAT}.")
