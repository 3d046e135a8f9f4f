"""What the files of a folder hold, written beside them: a file that was damaged is found before it is used.

`manifest.json` names, for each file that deft will read again, the checksums (BLAKE2b) that it may have. While a file
is replaced there are two, the old one and the new one, so that a process can be killed at any moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from deft.errors import DataError, DeftError
from deft.files import parse_json, replace_file, strict_json

MANIFEST = "manifest.json"
FORMAT = 1
_PIECE = 1 << 20

Checksums = dict[str, list[str]]


@contextlib.contextmanager
def replace_sealed(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to, as `replace_file`, and note its checksum in the folder's manifest.

    Args:
        path: The file.
    """

    def expect(temporary: Path) -> None:
        known = _there(path.parent)
        old = known.get(path.name, [])[-1:] if path.exists() else []
        _write(path.parent, {**known, path.name: [*old, checksum(temporary)]})

    with replace_file(path, expect) as temporary:
        yield temporary
    known = _there(path.parent)
    _write(path.parent, {**known, path.name: known[path.name][-1:]})


def seal(folder: Path, *, without: Sequence[str] = ()) -> None:
    """Write a manifest of all files of a folder.

    Args:
        folder: Whose files are all written.
        without: Names of files that people may change.
    """
    names = [one.name for one in sorted(folder.iterdir()) if one.is_file()]
    _write(folder, {name: [checksum(folder / name)] for name in names if name not in (*without, MANIFEST)})


def check(path: Path, error: type[DeftError] = DataError, hint: str = "") -> None:
    """Refuse a file that isn't what the manifest beside it says; one that no manifest knows passes.

    Args:
        path: The file.
        error: What is raised.
        hint: What to do, a sentence; by default to make it again or take it from a backup.

    Raises:
        DeftError: It was changed since deft wrote it, or the manifest was.
    """
    if not _fits(path, _read(path.parent, error)):
        what = "was damaged or changed since deft wrote it" if path.is_file() else "is missing"
        raise error(f"{path} {what} (see {MANIFEST}). {hint or _BACKUP}")


def check_folder(folder: Path, error: type[DeftError] = DataError) -> None:
    """Refuse a folder one of whose files isn't what its manifest says; one without a manifest passes.

    Args:
        folder: With files that belong together.
        error: What is raised.

    Raises:
        DeftError: A file was changed since deft wrote it, or is missing, or the manifest was changed.
    """
    for name in _read(folder, error):
        check(folder / name, error)


def intact(path: Path) -> bool:
    """Return whether a file is what the manifest beside it says; for caches, which are made anew where it isn't.

    Args:
        path: The file.
    """
    try:
        known = _read(path.parent, DataError)
    except DataError:
        return False
    return path.name in known and _fits(path, known)


def checksum(path: Path) -> str:
    """Return the checksum of a file's content: 32 hexadecimal digits of BLAKE2b.

    Args:
        path: The file.
    """
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


_BACKUP = "Take it from a backup, or make it again."


def _fits(path: Path, known: Checksums) -> bool:
    return path.name not in known or (path.is_file() and checksum(path) in known[path.name])


def _read(folder: Path, error: type[DeftError]) -> Checksums:
    """Return the checksums of a folder; empty where there is no manifest."""
    path = folder / MANIFEST
    try:
        stored = parse_json(path.read_bytes())
        files = stored["files"]
        if stored["check"] != _own(files):
            raise ValueError("its own checksum differs")
        return {str(name): [str(one) for one in values] for name, values in files.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        raise error(
            f"{path} was damaged or changed, so it can't tell whether the other files are whole. {_BACKUP} If you know "
            "that they are, delete it."
        ) from why


def _there(folder: Path) -> Checksums:
    """Return the checksums of the files that are still there; of a damaged manifest nothing is kept."""
    try:
        known = _read(folder, DataError)
    except DataError:
        return {}
    return {name: values for name, values in known.items() if (folder / name).exists()}


def _write(folder: Path, files: Checksums) -> None:
    with replace_file(folder / MANIFEST) as temporary:
        temporary.write_text(strict_json({"format": FORMAT, "files": files, "check": _own(files)}), encoding="ascii")


def _own(files: Any) -> str:
    return blake2b(strict_json(files, indent=None).encode(), digest_size=16).hexdigest()
