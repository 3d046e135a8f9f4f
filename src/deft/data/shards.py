"""WebDataset shards: tar files whose members of one stem are one sample, such as `0001.jpg` with `0001.cls`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deft.data.archives import ArchiveTree, archive_tree
from deft.data.assemble import SourceRows
from deft.data.columns import LABEL_COLUMNS, Columns
from deft.data.joined import join
from deft.data.readers import show_path
from deft.data.splits import shard_split
from deft.data.tree import FolderTree, Tree
from deft.errors import DataError
from deft.files import parse_json
from deft.progress import Progress

LABEL_MEMBERS = (".cls", ".label", ".json", ".txt")
"""Endings of the members that may hold a sample's label, the likeliest first."""

SMALL = 1 << 20
"""Bytes; a larger member holds no label."""


def from_shard_tree(tree: Tree, columns: Columns, progress: Progress) -> SourceRows | None:
    """Read a folder of tar files without images beside them, or one such file; None where it is none.

    Args:
        tree: What lies where.
        columns: What the user says about the fields of JSON members.
        progress: Told of nothing here.

    Raises:
        DataError: A shard can't be read.
    """
    if isinstance(tree, ArchiveTree):
        return _one_shard(tree, columns) if _is_shard(tree) else None
    tars = [name for name in tree.others if name.lower().endswith(".tar")]
    if not tars or tree.images or not isinstance(tree, FolderTree):
        return None
    if not any(_is_shard(archive_tree(tree.root / name)) for name in tars):
        return None  # archives of folders
    return from_tars([tree.root / name for name in tars], tree.where, columns)


def from_tars(paths: Sequence[Path], source: str, columns: Columns) -> SourceRows:
    """Read WebDataset shards as one; those called `train-0000.tar` are of that split.

    Args:
        paths: The shards, in order.
        source: What they are called together.
        columns: What the user says about the fields of JSON members.

    Raises:
        DataError: One can't be read, or holds no samples with labels.
    """
    parts = []
    for path in paths:
        tree = archive_tree(path)
        if not _is_shard(tree):
            raise DataError(
                f"{path} is no shard of a WebDataset: it holds no images with labels in members of the same name, as "
                "0001.jpg with 0001.cls."
            )
        part = _one_shard(tree, columns)
        part.skipped = dict(tree.skipped)
        split = shard_split(path.stem)
        if split is not None:
            part.split = [split] * len(part.labels)
        parts.append(part)
    return join(parts, source)


def _is_shard(tree: ArchiveTree) -> bool:
    images = {_stem(name) for name in tree.images}
    return bool(tree.places) and any(
        _stem(name) in images for name in tree.others if name.lower().endswith((".cls", ".label", ".json"))
    )


def _one_shard(tree: ArchiveTree, columns: Columns) -> SourceRows:
    beside: dict[str, dict[str, str]] = {}
    for name in tree.others:
        beside.setdefault(_stem(name), {})["." + name.rpartition("/")[2].partition(".")[2].lower()] = name
    ending = next(e for e in LABEL_MEMBERS if any(e in members for members in beside.values()))
    images = sorted(tree.images, key=lambda name: tree.places[name])
    labels = [_label(tree, beside.get(_stem(name), {}).get(ending), columns) for name in images]
    shard = Path(tree.path).name
    problems = ((row, tree.problem(name)) for row, name in enumerate(images))
    return SourceRows(
        source=tree.where,
        reader=tree.reader(images),
        file_name=[f"{show_path(shard)}/{show_path(name)}" for name in images],
        labels=labels,
        errors={row: problem for row, problem in problems if problem is not None},
        labels_are="cells",
    )


def _label(tree: ArchiveTree, member: str | None, columns: Columns) -> Any:
    if member is None or tree.sizes[member] > SMALL:
        return None
    text = tree.content(member).decode("utf-8", "replace").strip()
    if not member.lower().endswith(".json"):
        return text
    try:
        value = parse_json(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return value
    wanted = [columns.label] if columns.label is not None else LABEL_COLUMNS
    return next((value[name] for name in value if name.casefold() in wanted or name in wanted), None)


def _stem(name: str) -> str:
    """Return what the members of one sample share: the name up to the first dot of its last part."""
    folder, mark, last = name.rpartition("/")
    return folder + mark + last.partition(".")[0]
