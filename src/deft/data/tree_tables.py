"""Tables that lie among the images of a folder or an archive."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path

from deft.data.assemble import SourceRows
from deft.data.columns import Columns
from deft.data.endings import TABLE_ENDINGS
from deft.data.listed import MISSING, several_fit, splits_of
from deft.data.located import SEVERAL, elsewhere, is_address, served_path, shown_name
from deft.data.names import in_order
from deft.data.readers import FileReader, show_path
from deft.data.spellings import Finder, by_fold, by_last, by_stem, fold, of_bare_name, spelt_alike
from deft.data.tables import from_table, read_table, settle
from deft.data.tree import FolderTree, Tree
from deft.errors import DataError
from deft.progress import Progress
from deft.wording import counted, noun

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Tables that a folder of images may carry, as in Hugging Face's imagefolder."""

BESIDE = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Endings of tables that may be meant as labels of the images beside them."""

MOST_BASES = 20  # folders that a table's paths are tried below


def from_tree_table(
    tree: Tree,
    name: str,
    columns: Columns,
    progress: Progress,
    bases: Sequence[str] = (),
    among: Sequence[str] | None = None,
) -> SourceRows:
    """Read a table of a tree, and count the images that it doesn't list.

    Args:
        tree: Where it lies.
        name: Name of the table, within the tree.
        columns: What the user says about its columns.
        progress: Told of guesses.
        bases: Folders of the tree that its paths may be relative to, before its own.
        among: Images that it may list; those below its own folder if not given.

    Raises:
        DataError: It can't be read, or names no file of the tree.
    """
    above = name.rpartition("/")[0]
    folders = [*bases, above]
    there = below(tree, above) if among is None else among
    if isinstance(tree, FolderTree):
        lying = [os.path.normpath(os.path.abspath(os.path.join(tree.root, image))) for image in there]
        found = from_table(tree.root / name, columns, progress, [tree.root / folder for folder in folders], lying)
        note_unlisted(found, set(lying), show_path(name))
        return found
    found, names = _in_archive(tree, name, columns, progress, folders)
    _note(found, len(set(there) - set(names)), show_path(name))
    return found


def from_table_beside(tree: Tree, table: Path, columns: Columns, progress: Progress) -> SourceRows:
    """Read a table of labels that lies outside the archive of its images.

    Args:
        tree: The archive.
        table: The table; its paths are relative to the archive's root, or to a folder in it.
        columns: What the user says about the columns.
        progress: Told of guesses.

    Raises:
        DataError: It can't be read, or names no file of the archive.
    """
    try:
        data = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table} can't be read as a table: {error.strerror or error}.") from error
    source = show_path(str(table))
    found, names = _of_archive(tree, source, table.suffix, data, columns, progress, ["", *bases(tree)])
    _note(found, len(set(tree.images) - set(names)), source)
    return found


def tables_in(tree: Tree) -> list[str]:
    """Return the names of all files of a tree that may be tables."""
    return [name for name in tree.others if os.path.splitext(name)[1].lower() in TABLE_ENDINGS]


def below(tree: Tree, folder: str) -> list[str]:
    """Return the images below a folder of a tree; all below the root, which has no name."""
    return [name for name in tree.images if not folder or name.startswith(f"{folder}/")]


def bases(tree: Tree) -> list[str]:
    """Return the folders with images that a table's paths may be relative to, the uppermost first."""
    return folders_of(tree.images)[:MOST_BASES]


def folders_of(images: Iterable[str]) -> list[str]:
    """Return the folders that images lie in, the uppermost first."""
    return sorted({name.rpartition("/")[0] for name in images}, key=lambda name: (name.count("/"), name))


def note_unlisted(found: SourceRows, there: set[str], table: str) -> None:
    """Count the images that a table of files doesn't list, and say so.

    Args:
        found: Its rows.
        there: Paths of the images that lie there.
        table: What it is called.
    """
    if isinstance(found.reader, FileReader):
        _note(found, len(there - set(map(os.path.abspath, found.reader.paths))), table)


def _note(found: SourceRows, left: int, table: str) -> None:
    if left:
        found.skipped = {**found.skipped, "images that the table doesn't list": left}
        lie = noun(left, "that lies there; it is", "that lie there; they are")
        found.notes.append(f"{table} doesn't list {counted(left, 'image')} {lie} left out.")


def _in_archive(
    tree: Tree, name: str, columns: Columns, progress: Progress, folders: Sequence[str]
) -> tuple[SourceRows, list[str]]:
    source = f"{tree.where}/{show_path(name)}"
    ending = os.path.splitext(name)[1]
    return _of_archive(tree, source, ending, tree.content(name), columns, progress, folders)


def _of_archive(
    tree: Tree, source: str, ending: str, data: bytes, columns: Columns, progress: Progress, folders: Sequence[str]
) -> tuple[SourceRows, list[str]]:
    if ending.lower() == ".parquet":
        raise DataError(f"{source} lists files of an archive, which Parquet files aren't read for: write it as CSV.")
    table = read_table(source, ending, data)
    settled = settle(table, columns, source, progress)
    members = set(tree.images)
    cells = ["" if cell is None else served_path(str(cell).strip()) for cell in table.values[str(settled.image)]]
    wide = [*folders, *(_join(folder, below) for folder in folders for below in table.below)]
    names, errors, several = _members(cells, members, wide)
    if several and len(several) == len(cells):
        raise DataError(several_fit(source, table, cells, several))
    if len(errors) == len(cells):
        raise DataError(f"None of the {len(cells)} files that {source} names is in the archive, such as {cells[0]}.")
    found = SourceRows(
        source=source,
        reader=tree.reader(names),
        file_name=[
            shown_name(cell) if cell else f"{source.rpartition('/')[2]}#{row}" for row, cell in enumerate(cells)
        ],
        labels=table.values[str(settled.label)],
        clean=None if settled.clean is None else table.values[settled.clean],
        split=splits_of(table, cells),
        errors=errors,
        names=None if table.names is None else in_order(table.names),
        labels_are="cells",
        notes=[*table.notes, *([several_fit(source, table, cells, several)] if several else [])],
    )
    return found, names


def _members(
    cells: Sequence[str], members: set[str], folders: Sequence[str]
) -> tuple[list[str], dict[int, str], dict[int, Sequence[str]]]:
    """Return the member that each cell means, the reason where there is none, and members where several fit."""
    like, stems, by_name = by_fold(members), by_stem(members), by_last(members)
    finders = [(folder, _finder_in(folder, members, like, stems)) for folder in folders]
    names: list[str] = []
    errors: dict[int, str] = {}
    several: dict[int, Sequence[str]] = {}
    for row, cell in enumerate(cells):
        tries = ((folder, finder.find(cell)) for folder, finder in finders if cell)
        found = next(([_join(folder, name) for name in fit] for folder, fit in tries if fit), [])
        found = found or (list(of_bare_name(cell, by_name)) if cell else [])
        names.append(found[0] if len(found) == 1 else "")
        if len(found) > 1:
            several[row], errors[row] = found, SEVERAL
        elif not found:
            errors[row] = "no file name" if not cell else elsewhere(cell) if is_address(cell) else MISSING
    return names, errors, several


def _finder_in(folder: str, members: set[str], like: dict[str, list[str]], stems: dict[str, list[str]]) -> Finder:
    def below(found: Sequence[str]) -> Sequence[str]:
        return [posixpath.relpath(one, folder or ".") for one in found]

    return Finder(
        lambda name: _join(folder, name) in members,
        lambda name: below(like.get(fold(_join(folder, name)), [])),
        lambda name: below(spelt_alike(_join(folder, name), stems)),
    )


def _join(folder: str, name: str) -> str:
    path = os.path.normpath(f"{folder}/{name}" if folder else name).replace(os.sep, "/")
    return path
