"""What images are by content: a name for each that its bytes alone decide, wherever they lie and in whatever order."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.readers import ImageError, ImageReader, IntArray, Pixels
from deft.errors import DataError
from deft.manifest import intact, replace_sealed
from deft.progress import Progress, Silent

FILE = "contents.parquet"
"""In a run folder: which file held which content, so that files that haven't changed aren't read again."""

UNREAD = "unread-"
"""How the name begins of an image that can't be read: a name made of its file name follows."""

PIECE = 512
"""Images that are read between two reports of progress."""


def content_name(content: bytes | Pixels) -> str:
    """Return the name of an encoded image, or of bare pixels: 32 hexadecimal digits of BLAKE2b.

    Args:
        content: The bytes of a file, or pixels as `ImageReader.read` gives them.

    Example:
        >>> content_name(b"the bytes of a photo")
        'b1ee2f88ed0a57bc8ba5ebd431972d7a'
    """
    digest = blake2b(digest_size=16)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        digest.update(f"pixels {content.shape}".encode())
        digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


def read_contents(
    reader: ImageReader,
    rows: IntArray,
    file_name: Sequence[str],
    *,
    known: Mapping[bytes, str] | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Return the name of the content of each image, (N,); one that can't be read goes by its file name.

    Images are read in the reader's own order, which is the fast one for tables.

    Args:
        reader: Gives the images.
        rows: The reader's row of each, (N,).
        file_name: What each is called, (N,).
        known: Content by stamp (`ImageReader.stamps`), of files that were read before.
        progress: Told how far the work has come.
    """
    names: list[str] = [""] * len(rows)
    stamps, before = reader.stamps(rows) if known else None, known or {}
    missing = [row for row in range(len(rows)) if stamps is None or stamps[row] not in before]
    for row, stamp in enumerate(stamps or ()):
        names[row] = before.get(stamp, "")
    order = np.array(missing, np.int64)
    order = order[np.argsort(rows[order], kind="stable")]
    starts = range(0, len(order), PIECE)
    told = Silent() if progress is None or len(order) < PIECE else progress
    for start in told.track(starts, "Telling images apart", total=len(starts)):
        piece = order[start : start + PIECE]
        part = reader.part(rows[piece])
        for number, row in enumerate(piece.tolist()):
            try:
                names[row] = content_name(part.read(number))
            except ImageError:
                names[row] = f"{UNREAD}{content_name(file_name[row].encode('utf-8', 'surrogatepass'))}"
    return tuple(names)


def load_known(folder: Path) -> dict[bytes, str]:
    """Return the contents that a run folder has notes of, by stamp; empty for none, or for damaged notes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not intact(folder / FILE):
        return {}
    with contextlib.suppress(OSError, KeyError, ValueError, pa.ArrowException):
        table = pq.read_table(folder / FILE)
        return dict(zip(table["stamp"].to_pylist(), table["content"].to_pylist(), strict=True))
    return {}


def keep_known(folder: Path, stamps: Sequence[bytes], names: Sequence[str]) -> None:
    """Write the notes of a run folder.

    Args:
        folder: The run.
        stamps: As `ImageReader.stamps` gives them.
        names: Names of the content of each.

    Raises:
        DataError: They can't be written there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"stamp": pa.array(stamps, pa.binary()), "content": pa.array(names, pa.string())})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replace_sealed(folder / FILE) as temporary:
            pq.write_table(table, temporary)
    except OSError as error:
        raise DataError(f"{folder} can't be written to: {error}.") from error


def unique_names(content: Sequence[str], apart: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of contents, with "-2", "-3", ... behind those of further copies.

    The order of rows plays no part: of exact copies the one that sorts first has the bare name.

    Args:
        content: Names of contents, (N,).
        apart: What tells copies apart and sorts them, such as their file names, (N,).

    Example:
        >>> unique_names(["1f", "3a", "1f"], ["b.png", "c.png", "a.png"])
        ('1f-2', '3a', '1f')
    """
    copies: dict[str, int] = {}
    result = list(content)
    for row in sorted(range(len(content)), key=lambda row: apart[row]):
        name = content[row]
        copies[name] = copies.get(name, 0) + 1
        if copies[name] > 1:
            result[row] = f"{name}-{copies[name]}"
    return tuple(result)
