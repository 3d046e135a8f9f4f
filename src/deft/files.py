"""Files and folders that are either complete or not there."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deft.owner import is_left_over, this_process

PART = ".part"
_SHOWN = 40  # letters of a file's name in that of its temporary one: names have a largest length


@contextlib.contextmanager
def replace_file(path: Path, ready: Callable[[Path], None] = lambda temporary: None) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to, and rename it once all is written and on the disk.

    What a killed process left beside `path` is removed.

    Args:
        path: The file; its folder is made if need be.
        ready: Called with the temporary file just before it takes its place.

    Example:
        >>> with replace_file(Path("summary.json")) as temporary:  # doctest: +SKIP
        ...     temporary.write_text("{}")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=_suffix())
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner can read; a result is an ordinary file.
        temporary.chmod(0o666 & ~_mask())
        keep_on_disk(temporary)
        ready(temporary)
        os.replace(temporary, path)
        keep_on_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, gone at the end; what a killed process left there is removed.

    Args:
        path: What the folder's content is for; nothing is done to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path), suffix=_suffix()))
    try:
        # mkdtemp makes folders that only their owner can enter; a result is an ordinary folder.
        folder.chmod(0o777 & ~_mask())
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fill_folder(folder: Path, last: str, ready: Callable[[Path], None] = lambda temporary: None) -> Iterator[Path]:
    """Give a temporary folder inside `folder` for files that belong together, and move them in once all are written.

    The file without which readers take the folder for empty comes last, and goes first if it is there already: they
    find all of the files or none, whenever the process is killed. A folder that can't be renamed as a whole, such as
    one that is mounted, can be filled that way too.

    Args:
        folder: Made if need be.
        last: Name of that file.
        ready: Called with the temporary folder once its files are written.
    """
    with temporary_folder(folder / last) as part:
        yield part
        ready(part)
        names = [one.name for one in sorted(part.iterdir()) if one.name != last]
        for name in (*names, last):
            (part / name).chmod(0o666 & ~_mask())
            keep_on_disk(part / name)
        (folder / last).unlink(missing_ok=True)
        for name in (*names, last):
            os.replace(part / name, folder / name)
        keep_on_disk(folder)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files and folders for `path` that a killed process left beside it.

    Args:
        path: What they were for.
    """
    pattern = glob.escape(_prefix(path)) + f"*{PART}"
    for old in path.parent.glob(pattern):
        if is_left_over(old.name):
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink(missing_ok=True)


def keep_on_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut; nothing where a system can't.

    Args:
        path: File or folder.
    """
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some file systems know no such thing for folders; a file that isn't kept is an error
            raise
    finally:
        os.close(handle)


def reserve(handle: int, size: int) -> None:
    """Give an open file its full length, with its space taken now: a full disk must not end a process later.

    Args:
        handle: Of the file, open for writing.
        size: In bytes.

    Raises:
        OSError: The disk is too small.
    """
    os.ftruncate(handle, size)
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that can't
                raise


def strict_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON as every reader takes it: null in the place of NaN and infinity, and only ASCII.

    Args:
        value: Plain values.
        indent: Spaces of a level; None for one line.
    """
    return json.dumps(without_nan(value), indent=indent, allow_nan=False)


def readable_json(value: Any) -> str:
    """Return JSON for files that people look into: as `strict_json`, with the letters of all alphabets as they are.

    Args:
        value: Plain values.
    """
    text = json.dumps(without_nan(value), indent=2, allow_nan=False, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a name with letters that UTF-8 has no place for
        return strict_json(value)
    return text


def without_nan(value: Any) -> Any:
    """Return plain values with None in the place of numbers that are not finite.

    Args:
        value: Plain values.
    """
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def parse_json(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return what JSON says.

    Args:
        text: The JSON.
        pairs: Makes a value of the names and values of each object; a dictionary if not given.

    Raises:
        ValueError: It isn't JSON, or so deeply nested, or with such long numbers, that nobody wrote it by hand.
    """
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError("it is too deeply nested") from error


def _prefix(path: Path) -> str:
    return f".{path.name[:_SHOWN]}."


def _suffix() -> str:
    return f".{this_process().mark}{PART}"


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
