"""Which folders of a tree are classes, which are splits, and which are neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deft.data.readers import show_path
from deft.data.splits import CONTAINERS, POOLS, UNLABELLED, is_split

LOOSE = "image outside of the class folders"
BESIDE_SPLITS = "images beside the splits"
BESIDE_CLASSES = "images in folders of no class"


@dataclass
class ClassFolders:
    """What was recognised.

    Args:
        names: The image files, in order.
        labels: Name of the class folder of each; None where it has none.
        splits: Split of each, where there are splits.
        skipped: Images that belong to no class, by kind.
        empty: Class folders without an image.
        notes: What a person should know, a sentence each.
    """

    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, names: Sequence[str], label: str | None, split: str | None) -> None:
        """Take in images of one class."""
        self.names += names
        self.labels += [label] * len(names)
        if split is not None:
            self.splits += [split] * len(names)


@dataclass
class Node:
    """A folder with images at any depth.

    Args:
        path: Relative to the root.
        direct: Images that lie in it.
        below: Folders in it, by name; also those without images.
    """

    path: str
    direct: list[str] = field(default_factory=list)
    below: dict[str, Node] = field(default_factory=dict)

    def every(self) -> Iterator[str]:
        """Yield all images, its own first."""
        yield from self.direct
        for child in self.below.values():
            yield from child.every()

    @property
    def held(self) -> dict[str, Node]:
        """The folders in it that have images at any depth."""
        return {name: child for name, child in self.below.items() if next(child.every(), None) is not None}


def grow(images: Sequence[str], folders: Sequence[str]) -> Node:
    """Return the tree of these files and folders."""
    root = Node("")
    for folder in folders:
        _reach(root, folder)
    for name in images:
        folder, _, _ = name.rpartition("/")
        _reach(root, folder).direct.append(name)
    return root


def recognise(images: Sequence[str], folders: Sequence[str]) -> ClassFolders:
    """Find class folders.

    A folder named like a split that holds class folders is a split, and never a class, whatever lies beside it. One
    folder around everything is looked into. Classes are the folders of the first level; deeper ones belong to them.

    Args:
        images: Image files, relative to the root, folder by folder.
        folders: All folders.
    """
    found = ClassFolders()
    root = _unwrapped(grow(images, folders), found)
    parts = _parts(root)
    if parts:
        _read_splits(root, parts, found)
    elif not all(map(is_split, root.held)):
        _read_classes(root, None, found)
        _splits_in_classes(root, found)
    return found


def _read_splits(root: Node, parts: dict[str, Node], found: ClassFolders) -> None:
    for name, part in parts.items():
        inner = _unwrapped(part, found)
        split = show_path(name)
        if _has_classes(inner):
            _read_classes(inner, split, found)
            continue
        rows = list(inner.every())
        found.add(rows, None, split)
        found.notes.append(f"Split '{split}' has no class folders: its {len(rows)} images have no label.")
    for name, node in root.below.items():
        if name in parts:
            continue
        rows = list(node.every())
        if name.casefold() in UNLABELLED:
            found.add(rows, None, show_path(name))
        elif rows:
            found.skipped[BESIDE_SPLITS] += len(rows)
            found.notes.append(
                f"Folder '{show_path(name)}' lies beside the splits: its {len(rows)} images are left out."
            )
    found.skipped[LOOSE] += len(root.direct)


def _read_classes(root: Node, split: str | None, found: ClassFolders) -> None:
    found.skipped[LOOSE] += len(root.direct)
    nested = []
    for name, node in root.below.items():
        rows = list(node.every())
        if not rows:
            found.empty.append(show_path(node.path))
        elif name.casefold() in UNLABELLED:
            found.add(rows, None, split)
        elif node.direct and name.casefold() in (POOLS if len(root.held) > 1 else CONTAINERS):
            found.skipped[BESIDE_CLASSES] += len(rows)
            found.notes.append(f"Folder '{show_path(node.path)}' is no class: its {len(rows)} images are left out.")
        else:
            found.add(rows, show_path(name), split)
            nested += [] if node.direct else [node]
    if nested and len(nested) == len(root.held) and split is None:
        found.notes.append(_which_level(nested))


def _which_level(nested: Sequence[Node]) -> str:
    first = ", ".join(show_path(node.path.rpartition("/")[2]) for node in nested[:3])
    deeper = ", ".join(show_path(name) for name in list(nested[0].held)[:3])
    return (
        f"The classes are the folders of the first level ({first}), though all images lie deeper ({deeper}). If those "
        "are the classes, give one of the upper folders, or a table with --labels."
    )


def _splits_in_classes(root: Node, found: ClassFolders) -> None:
    """Find class folders that are themselves divided into splits: `cat/train/1.jpg`."""
    classes = [node for name, node in root.held.items() if name.casefold() not in POOLS]
    inner = [node.held for node in classes if not node.direct]
    if len(inner) < len(classes) or not all(held and all(map(is_split, held)) for held in inner):
        return
    places = {name: show_path(split) for held in inner for split, part in held.items() for name in part.every()}
    found.splits = [places.get(name, "") for name in found.names]
    found.notes = [note for note in found.notes if not note.startswith("The classes are the folders")]


def _parts(root: Node) -> dict[str, Node]:
    """Return the splits; empty where there are none."""
    like = {name: node for name, node in root.held.items() if is_split(name)}
    others = [name for name in root.held if name not in like and name.casefold() not in UNLABELLED]
    if not any(_has_classes(node) for node in like.values()):
        return {}
    return like if len(like) > 1 or len(others) < 2 else {}


def _has_classes(node: Node) -> bool:
    """Return whether a folder holds class folders, directly or inside one more folder."""
    inner = _unwrapped(node, ClassFolders())
    return any(name.casefold() not in CONTAINERS for name in inner.held)


def _unwrapped(node: Node, found: ClassFolders) -> Node:
    """Return the folder inside any folders that hold nothing but one folder."""
    while not node.direct and len(node.held) == 1:
        (name, child), *_ = node.held.items()
        if child.direct or not child.held or is_split(name):
            break
        node = child
        if not is_split(name) and name.casefold() not in CONTAINERS:
            found.notes.append(f"Folder '{show_path(child.path)}' is taken for the one around the classes.")
    return node


def _reach(root: Node, folder: str) -> Node:
    node = root
    if folder:
        for name in folder.split("/"):
            path = f"{node.path}/{name}" if node.path else name
            node = node.below.setdefault(name, Node(path))
    return node
