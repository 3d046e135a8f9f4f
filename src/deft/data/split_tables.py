"""A table for each split: inside the split's folder, or beside it under its name."""

from __future__ import annotations

import os

from deft.data.assemble import SourceRows
from deft.data.class_folders import recognise
from deft.data.columns import Columns, NoLabels
from deft.data.joined import join
from deft.data.readers import show_path
from deft.data.splits import is_split
from deft.data.tree import Tree
from deft.data.tree_tables import BESIDE, METADATA, below, folders_of, from_tree_table, tables_in
from deft.progress import Progress


def metadata_of_splits(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Return `train/metadata.csv` and `test/metadata.csv`, each with paths relative to itself."""
    there = set(tree.others)
    tables = {top: [name for name in METADATA if f"{top}/{name}" in there] for top in _splits(tree)}
    parts = []
    for top in (top for top in tables if tables[top]):
        part = with_labels(tree, f"{top}/{tables[top][0]}", columns, progress)
        if part is None:
            return None
        parts.append(_of_split(part, top))
    if not parts:
        return None
    found = join(parts, tree.where)
    bare = [top for top in tables if not tables[top] and below(tree, top)]
    found.notes += [f"Split '{show_path(top)}' has no metadata table, unlike others; it is left out." for top in bare]
    return found


def with_labels(tree: Tree, name: str, columns: Columns, progress: Progress) -> SourceRows | None:
    """Read a table of a tree; None where it has no labels (captions, say), but class folders have."""
    try:
        return from_tree_table(tree, name, columns, progress)
    except NoLabels:
        if columns != Columns() or not any(recognise(tree.images, tree.folders).labels):
            raise
    tree.notes.append(
        f"{show_path(name)} has no column of labels (label_column=), so the labels are the class folders."
    )
    return None


def tables_of_splits(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Return `train/labels.csv` with `train/images/`, or `train.csv` beside `train/`, and so for each split."""
    tables = [name for name in tables_in(tree) if name.lower().endswith(BESIDE)]
    inside = {top: [name for name in tables if name.rpartition("/")[0] == top] for top in _splits(tree)}
    loose = [name for name in tables if "/" not in name]
    beside = {top: [name for name in loose if os.path.splitext(name)[0] == top] for top in inside}
    of_split = inside if any(inside.values()) else beside
    of_split = {top: names for top, names in of_split.items() if names}
    if not of_split or any(len(names) > 1 for names in of_split.values()) or (of_split.keys() < set(map(_stem, loose))):
        return None
    parts, notes = [], []
    for top, (name,) in of_split.items():
        images = below(tree, top)
        try:
            part = from_tree_table(tree, name, columns, progress, [*folders_of(images), top], images)
        except NoLabels as error:
            notes.append(f"Split '{show_path(top)}' is left out: {error}")
            continue
        parts.append(_of_split(part, top))
    if not parts:
        return None
    found = join(parts, tree.where)
    bare = [top for top in inside if top not in of_split and below(tree, top)]
    found.notes += [*notes, *(f"Split '{show_path(top)}' has no table, unlike others; it is left out." for top in bare)]
    return found


def _splits(tree: Tree) -> list[str]:
    return [folder for folder in tree.folders if "/" not in folder and is_split(folder)]


def _of_split(part: SourceRows, top: str) -> SourceRows:
    """Return the rows of a split's own table, named from above the split."""
    above = f"{show_path(top)}/"
    part.file_name = [name if name.startswith(above) else above + name for name in part.file_name]
    part.split = [show_path(top)] * len(part.labels)
    return part


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]
