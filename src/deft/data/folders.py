"""Layouts of folders and archives: what lies where, and how that is read. One table of layouts, one function each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from deft.data.archives import archive_tree
from deft.data.assemble import SourceRows
from deft.data.class_folders import LOOSE, ClassFolders, recognise
from deft.data.columns import Columns
from deft.data.endings import ARCHIVE_ENDINGS
from deft.data.joined import join
from deft.data.published import refuse_published
from deft.data.readers import show_path
from deft.data.shards import from_shard_tree
from deft.data.split_tables import metadata_of_splits, tables_of_splits, with_labels
from deft.data.splits import is_split, shard_split
from deft.data.tables import from_shards
from deft.data.tree import FolderTree, Tree
from deft.data.tree_tables import BESIDE, METADATA, bases, from_table_beside, from_tree_table, tables_in
from deft.errors import DataError
from deft.progress import Progress

EXPORTS = ("samples.json", "labels.json")
"""Tables of FiftyOne's exports; the first has more in it."""


NO_ENDING = "without an ending"
"""What files without an ending are called among what was passed over."""


@dataclass(frozen=True)
class Layout:
    """A way in which labelled images lie in a folder.

    Args:
        name: What it is called.
        read: Returns the rows; None where the tree isn't of this layout.
    """

    name: str
    read: Callable[[Tree, Columns, Progress], SourceRows | None]


def from_tree(tree: Tree, columns: Columns, progress: Progress) -> SourceRows:
    """Read a folder or an archive by the first of `LAYOUTS` that fits.

    Args:
        tree: What lies where.
        columns: What the user says about the columns of tables in it.
        progress: Told of guesses.

    Raises:
        DataError: None fits, with what was seen.
    """
    refuse_published(tree)
    for layout in LAYOUTS:
        found = layout.read(tree, columns, progress)
        if found is not None:
            found.source = tree.where
            found.notes = [*tree.notes, *found.notes]
            found.skipped = dict(Counter(found.skipped) + Counter(tree.skipped))
            return found
    raise DataError(_nothing(tree))


def _metadata(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    for name in METADATA:
        if name in tree.others:
            return with_labels(tree, name, columns, progress)
    return None


def _fiftyone(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    for name in EXPORTS:
        if name in tree.others and ("metadata.json" in tree.others or "data" in tree.folders):
            return from_tree_table(tree, name, columns, progress)
    return None


def _parquet_shards(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Return Parquet files without images beside them, as a data set of the Hub is stored."""
    shards = [name for name in tree.others if name.lower().endswith(".parquet")]
    if not shards or tree.images or not isinstance(tree, FolderTree):
        return None
    return from_shards([tree.root / name for name in shards], tree.where, columns, progress)


def _archives(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Read the only archive of a folder, with the table beside it, or one for each split: `train.zip`, `test.zip`."""
    there = [name for name in tree.others if name.lower().endswith(ARCHIVE_ENDINGS)]
    splits = [shard_split(os.path.splitext(name)[0].rpartition("/")[2]) for name in there]
    if tree.images or not isinstance(tree, FolderTree) or not there or (len(there) > 1 and None in splits):
        return None
    beside = [name for name in tables_in(tree) if "/" not in name and name.lower().endswith(BESIDE)]
    parts = []
    for name, split in zip(there, splits, strict=True):
        inside = archive_tree(tree.root / name)
        if len(there) == len(beside) == 1 and not _has_labels(inside):
            return from_table_beside(inside, tree.root / beside[0], columns, progress)
        part = from_tree(inside, columns, progress)
        if len(there) > 1:
            part.split = [str(split)] * len(part.labels)
            part.file_name = [f"{show_path(name)}/{image}" for image in part.file_name]
        parts.append(part)
    return join(parts, tree.where)


def _has_labels(tree: Tree) -> bool:
    """Say whether a tree has class folders or a table."""
    return bool(tables_in(tree)) or any(recognise(tree.images, tree.folders).labels)


def _class_folders(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    found = recognise(tree.images, tree.folders)
    if not any(label is not None for label in found.labels):
        return None
    if columns.image or columns.label or columns.clean:
        raise DataError(f"{tree.where} has no table, so there are no columns to name; give one with labels=.")
    rows = _rows(tree, found)
    for split in sorted({split for split, label in zip(found.splits, found.labels, strict=False) if label is None}):
        _labels_beside(tree, split, rows, progress)
    return rows


def _rows(tree: Tree, found: ClassFolders) -> SourceRows:
    problems = ((row, tree.problem(name)) for row, name in enumerate(found.names))
    skipped = found.skipped + Counter(_kind(name) for name in tree.others)
    notes = list(found.notes)
    tables = [show_path(name) for name in tree.others if "/" not in name and name.lower().endswith(BESIDE)]
    tables = [name for name in tables if name not in METADATA]
    if tables:
        notes.append(f"{', '.join(tables[:3])} beside the class folders: not read; as labels with labels=.")
    if skipped + tree.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in (skipped + tree.skipped).most_common(8))
        notes.append(f"{tree.where}: passed over what is no image of a class ({kinds}).")
    if found.empty:
        notes.append(f"Class folders without images, left out: {', '.join(found.empty[:10])}.")
    return SourceRows(
        source=tree.where,
        reader=tree.reader(found.names),
        file_name=[show_path(name) for name in found.names],
        labels=found.labels,
        split=found.splits or None,
        errors={row: problem for row, problem in problems if problem is not None},
        labels_are="folders",
        notes=notes,
        skipped=dict(skipped),
    )


def _labels_beside(tree: Tree, split: str, rows: SourceRows, progress: Progress) -> None:
    """Fill in the labels of a split without class folders from the one table beside its images, if that has them."""
    tables = [name for name in tables_in(tree) if name.rpartition("/")[0] == split]
    mine = {name: row for row, name in enumerate(rows.file_name) if name.startswith(f"{split}/")}
    if len(tables) != 1:
        return
    bases = sorted({name.rpartition("/")[0] for name in mine})
    try:
        found = from_tree_table(tree, tables[0], Columns(), progress, bases)
    except DataError:
        return  # a table of something else
    known = set(filter(None, rows.labels))
    labels = {name: str(label) for name, label in zip(found.file_name, found.labels, strict=True)}
    places = {
        row: labels.get(name.rpartition("/")[2], labels.get(name.removeprefix(f"{split}/")))
        for name, row in mine.items()
    }
    if not any(label in known for label in places.values()):
        return
    filled = list(rows.labels)
    for row, label in places.items():
        filled[row] = label
    rows.labels = filled
    rows.notes = [note for note in rows.notes if not note.startswith(f"Split '{split}' has no class folders")]
    rows.notes.append(f"The labels of split '{split}' are those of {show_path(tables[0])}.")


def _one_table(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Return the only table of a folder, whose images have no class folders: `labels.csv` beside `images/`."""
    tables = [name for name in tables_in(tree) if "/" not in name and not name.lower().endswith((".txt", ".lst"))]
    if len(tables) != 1:
        return None
    return from_tree_table(tree, tables[0], columns, progress, bases(tree))


LAYOUTS: tuple[Layout, ...] = (
    Layout("a table called metadata", _metadata),
    Layout("a table called metadata in each split", metadata_of_splits),
    Layout("an export of FiftyOne", _fiftyone),
    Layout("Parquet shards", _parquet_shards),
    Layout("WebDataset shards", from_shard_tree),
    Layout("an archive, or one of each split", _archives),
    Layout("class folders, with or without splits", _class_folders),
    Layout("images and one table", _one_table),
    Layout("images and one table in each split", tables_of_splits),
)
"""How folders and archives are read: the first that fits."""


def _kind(name: str) -> str:
    return show_path(os.path.splitext(name)[1].lower()) or NO_ENDING


def _nothing(tree: Tree) -> str:
    tables = [show_path(name) for name in tables_in(tree)]
    where, seen = tree.where, _seen(tree)
    if tree.images and len(tables) > 1:
        some = ", ".join(tables[:3]) + (", ..." if len(tables) > 3 else "")
        there = f"{len(tables)} tables ({some})"
        return f"{where} has images but no class folders, and {there}: name one with labels=, {seen}."
    splits = [show_path(folder) for folder in tree.folders if "/" not in folder and is_split(folder)]
    if tree.images and splits:
        return (
            f"{where} has splits ({', '.join(splits[:5])}) but no class folders in them: give labels as a table with "
            f"labels=, also where a folder called so is a class; {seen}."
        )
    if tree.images:
        return f"{where} has images but no class folders: give their labels as a table with labels=; {seen}."
    archives = [name for name in tree.others if name.lower().endswith(ARCHIVE_ENDINGS)]
    if archives:
        return f"No images in {where}, {seen}: archives are read one by one, as {where}/{show_path(archives[0])}."
    if any(_kind(name) == NO_ENDING for name in tree.others):
        seen += " (a file counts as an image by its ending, such as .jpg)"
    return (
        f"No images in {where}, {seen}: expected one folder per class, a table such as metadata.csv with a file_name "
        "column, or Parquet files."
    )


def _seen(tree: Tree) -> str:
    """Return what a tree holds, in a few words."""
    kinds = Counter(_kind(name) for name in tree.others) + Counter(tree.skipped)
    if tree.images:
        kinds[LOOSE.partition(" ")[0] + "s"] = len(tree.images)
    folders = [show_path(name) for name in tree.folders if "/" not in name]
    listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(5))
    where = f"folders ({', '.join(folders[:5])}{', ...' if len(folders) > 5 else ''})" if folders else ""
    return "which holds " + (" and ".join(filter(None, (where, listed))) or "nothing")
