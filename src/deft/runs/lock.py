"""One writer at a time: a folder that a process writes into is locked until it ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from deft.errors import DataError
from deft.files import parse_json, strict_json
from deft.manifest import MANIFEST
from deft.owner import Owner, in_words, is_left_over, this_process

LOCK = ".deft-lock"
"""File in a folder that is written into: who does, and since when. Only the system's lock on it counts."""

_TRIES = 5
_UNKNOWN = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}  # a file system without locks


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder; within one process, it may be asked for again inside.

    The system gives the lock back when a process ends, even by SIGKILL or a crash; what is then left of the file is
    taken over. Where a file system has no locks, the process that is noted in the file is looked up.

    Args:
        folder: Made if need be.

    Raises:
        DataError: Another process writes into it; the sentence says which, and since when.

    Example:
        >>> with only_writer(Path("run")):  # doctest: +SKIP
        ...     found.save("run")
    """
    path = folder / LOCK
    if _noted(path).get("owner") == asdict(this_process()):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = _lock(path)
    try:
        _note(file)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # while it is still locked, so that nobody locks a file without a name
        file.close()
        with contextlib.suppress(OSError):
            folder.rmdir()  # if nothing came of it


def refuse_second(folder: Path) -> None:
    """Refuse a folder that another process writes into, and make nothing in it.

    Args:
        folder: Need not be there.

    Raises:
        DataError: Another process writes into it.
    """
    path = folder / LOCK
    with contextlib.suppress(OSError), path.open("r+b") as file:
        if not _take(file, path):
            raise DataError(_in_use(path))


def is_empty(folder: Path) -> bool:
    """Return whether a folder holds nothing but what killed processes left of theirs.

    Args:
        folder: Must be there.
    """
    return all(one.name in (LOCK, MANIFEST) or is_left_over(one.name) for one in folder.iterdir())


def _lock(path: Path) -> IO[bytes]:
    """Return the file, locked."""
    for _ in range(_TRIES):
        file = path.open("a+b")
        try:
            free = _take(file, path)
        except BaseException:
            file.close()
            raise
        # The one before may have removed the file between the opening and the lock.
        if free and path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()
        if not free:
            break
    raise DataError(_in_use(path))


def _take(file: IO[bytes], path: Path) -> bool:
    """Lock an open file; whether that worked."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(1 << 30)  # beyond the note, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            return False
        owner = _owner(_noted(path))
        return owner is None or not owner.runs
    return True


def _note(file: IO[bytes]) -> None:
    file.truncate(0)
    file.write(strict_json({"owner": asdict(this_process()), "since": time.time()}).encode())
    file.flush()


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _owner(noted: dict[str, Any]) -> Owner | None:
    try:
        return Owner(**noted["owner"])
    except (KeyError, TypeError):
        return None


def _in_use(path: Path) -> str:
    noted = _noted(path)
    owner, since = _owner(noted), noted.get("since")
    who = "another process" if owner is None else f"process {owner.pid} on {owner.host}"
    when = f", since {in_words(since)}" if isinstance(since, float) else ""
    return f"{path.parent} is being written by {who}{when}. Wait for it to end, or choose another folder."
