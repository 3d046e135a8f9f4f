"""From what a user names to its rows: a folder, a table, an archive, several files, or a data set of the Hub."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deft.data import huggingface
from deft.data.archives import archive_tree
from deft.data.assemble import SourceRows
from deft.data.columns import Columns
from deft.data.endings import ARCHIVE_ENDINGS, COMPRESSED_ENDINGS, TABLE_ENDINGS
from deft.data.folders import from_tree
from deft.data.readers import show_path
from deft.data.remote import check_store, from_address, scheme_of
from deft.data.shards import from_tars
from deft.data.tables import from_shards, from_table
from deft.data.tree import folder_tree
from deft.data.tree_tables import from_table_beside, note_unlisted
from deft.errors import DataError
from deft.progress import Progress

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
_BRACES = re.compile(r"\{(?:(\d{1,9})\.\.(\d{1,9})|([^{},]*(?:,[^{},]*)+))\}")
MOST_FILES = 100_000  # that a range in braces stands for
LONGEST = 300  # characters of a name that a sentence shows
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)")
_HUB_SCHEME = "hf://datasets/"

DEMO = "demo:digits"
"""The data of `deft demo`, which comes with scikit-learn and has no path."""


def from_name(source: str, labels: Any, columns: Columns, split: str | None, progress: Progress) -> SourceRows:
    """Read what a path, a pattern of paths or a Hub id stands for.

    Args:
        source: As the user wrote it.
        labels: Path of a table of labels for a folder, or None.
        columns: What the user says about columns.
        split: The split that is wanted; only the Hub is asked for no more than it.
        progress: Told of guesses.

    Raises:
        DataError: There is nothing of that name, or it isn't understood.
    """
    source = source.removeprefix(_HUB_SCHEME)
    check_source(source)
    if scheme_of(source) is not None:
        refuse_labels(labels, f"{source} is in a store, where a table of labels is named itself; it")
        return from_address(source, columns, progress)
    path = Path(source).expanduser()
    if labels is not None and not isinstance(labels, str | os.PathLike):
        raise DataError("For files, labels= is the path of a table; a list of labels goes with images in memory.")
    if path.is_dir():
        return _from_folder(path, labels, columns, progress)
    if labels is not None and path.is_file() and path.suffix.lower() in ARCHIVE_ENDINGS:
        return from_table_beside(archive_tree(path), _labels_table(labels), columns, progress)
    refuse_labels(labels, f"{source} isn't a folder; a table")
    if path.is_file():
        return _from_file(path, columns, progress)
    if "{" in source and (names := in_braces(source)) != [source]:
        return from_paths(names, source, columns, progress)
    if glob.has_magic(source):
        return from_paths(sorted(glob.glob(os.path.expanduser(source), recursive=True)), source, columns, progress)
    return _from_hub(source, columns, split, progress)


def from_paths(
    paths: Sequence[str | os.PathLike[str]], source: str, columns: Columns, progress: Progress
) -> SourceRows:
    """Read several tables, or several WebDataset shards, as one.

    Args:
        paths: The files, in order.
        source: What they are called together.
        columns: What the user says about columns.
        progress: Told of guesses.

    Raises:
        DataError: There are none, or they are of different kinds.
    """
    found = [Path(path).expanduser() for path in paths]
    missing = [path for path in found if not path.is_file()]
    if not found:
        raise DataError(f"No file matches {source}.")
    if missing:
        kind = "a folder: name the one above" if missing[0].is_dir() else "not there"
        raise DataError(f"{source} should be tables or tar files, but {show_path(str(missing[0]))} is {kind}.")
    endings = {path.suffix.lower() for path in found}
    if endings == {".tar"}:
        return from_tars(found, source, columns)
    if endings <= set(TABLE_ENDINGS):
        return from_shards(found, source, columns, progress)
    raise DataError(
        f"{source} should be tables or tar files, but there are files that end in {', '.join(sorted(endings))}."
    )


def refuse_labels(labels: Any, what: str) -> None:
    """Refuse a table of labels where the data brings its own.

    Raises:
        DataError: There is one.
    """
    if labels is not None:
        raise DataError(f"{what} brings its own labels; choose the column with label_column=, not labels=.")


def _from_folder(path: Path, labels: Any, columns: Columns, progress: Progress) -> SourceRows:
    if labels is not None:
        table = _labels_table(labels)
        lying = [os.path.normpath(os.path.abspath(path / name)) for name in folder_tree(path).images]
        found = from_table(table, columns, progress, [path], lying)
        note_unlisted(found, set(lying), show_path(str(table)))
        return found
    if huggingface.is_saved(str(path)):
        return huggingface.from_dataset(huggingface.from_saved(str(path)), path.name, columns, progress)
    return from_tree(folder_tree(path), columns, progress)


def _labels_table(labels: str | os.PathLike[str]) -> Path:
    table = Path(labels).expanduser()
    if not str(labels) or not table.is_file():
        raise DataError(f"There is no table of labels at {str(labels) or 'an empty path'}.")
    return table


def _from_archive(path: Path, columns: Columns, progress: Progress) -> SourceRows:
    return from_tree(archive_tree(path), columns, progress)


FILES: Mapping[str, Callable[[Path, Columns, Progress], SourceRows]] = {
    **dict.fromkeys(TABLE_ENDINGS, from_table),
    **dict.fromkeys(ARCHIVE_ENDINGS, _from_archive),
}
"""How files are read, by ending."""


def _from_file(path: Path, columns: Columns, progress: Progress) -> SourceRows:
    read = FILES.get(path.suffix.lower())
    if read is not None:
        return read(path, columns, progress)
    if path.name.lower().endswith(COMPRESSED_ENDINGS):
        raise DataError(
            f"{path} is compressed as a whole, so it can't be read in place: unpack it, or make an archive of images a "
            "zip or an uncompressed tar file."
        )
    raise DataError(f"{path} is a file, but no table and no archive: expected one of {', '.join(FILES)}.")


def _from_hub(source: str, columns: Columns, split: str | None, progress: Progress) -> SourceRows:
    found = huggingface.from_dataset(huggingface.from_hub(source, split), source, columns, progress)
    if split is not None:  # only this one was loaded
        found.split = [split] * len(found.labels)
    return found


def check_source(source: str) -> None:
    """Refuse a source of which its name alone says that there is none.

    Args:
        source: What `load_images` is asked for.

    Raises:
        DataError: It is empty, or an address elsewhere; or no file, folder or pattern, and can't be the id of a data
            set on the Hub.
    """
    if not source.strip():
        raise DataError("The data has no name: the path given is empty. The current folder is '.'.")
    scheme = _SCHEME.fullmatch(source)
    if (store := scheme_of(source)) is not None:
        check_store(store)
        return
    if scheme is not None and scheme[1].lower() == "file":
        raise DataError(f"{source} is on this machine: give its path, {scheme[2]}.")
    if scheme is not None and not source.startswith(_HUB_SCHEME):
        raise DataError(
            f"{source} is not on this machine, and {scheme[1]}:// isn't read in place: copy it here, or mount it. "
            "Data sets of the Hugging Face Hub are named user/name."
        )
    name = source.removeprefix(_HUB_SCHEME)
    if _is_there(name) or glob.has_magic(name) or in_braces(name) != [name]:
        return
    if not _HUB_ID.fullmatch(name) or name.lower().endswith(tuple(FILES)) or _is_there(name.partition("/")[0]):
        plain = "/" not in name and "\\" not in name and not name.lower().endswith(tuple(FILES))
        hint = " (a data set of the Hugging Face Hub is called user/name)" if plain else ""
        shown = show_path(name) if len(name) <= LONGEST else f"{show_path(name[:LONGEST])}..."
        raise DataError(f"There is no file or folder {shown}{hint}.")


def in_braces(pattern: str) -> list[str]:
    """Return the names that braces stand for, as shells and WebDataset have them; without braces the name itself.

    Example:
        >>> in_braces("train-{008..010}.tar"), in_braces("{a,b}.csv"), in_braces("photos")
        (['train-008.tar', 'train-009.tar', 'train-010.tar'], ['a.csv', 'b.csv'], ['photos'])
    """
    found = _BRACES.search(pattern)
    if found is None or _is_there(pattern):
        return [pattern]
    start, end, listed = found.groups()
    if listed is None:
        first, last = sorted((int(start), int(end)))
        choices = [f"{number:0{len(start)}d}" for number in range(first, min(last, first + MOST_FILES) + 1)]
    else:
        choices = listed.split(",")
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [name for choice in choices for name in in_braces(f"{before}{choice}{after}")]


def _is_there(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # longer than a system allows, a null byte, a home of nobody
        return False
