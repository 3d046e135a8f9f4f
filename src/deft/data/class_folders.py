"""Which folders of a tree are classes, which are splits, and which are neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deft.data.readers import show_path
from deft.data.splits import CONTAINERS, POOLS, UNLABELLED, is_split, splits_among
from deft.wording import counted, noun

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
    folder around everything is looked into, and so is `images` beside `masks` of the same classes. Classes are the
    folders of the first level; deeper ones belong to them.

    Args:
        images: Image files, relative to the root, folder by folder.
        folders: All folders.
    """
    found = ClassFolders()
    root = _unwrapped(grow(images, folders), found)
    parts = _parts(root)
    if parts:
        _read_splits(root, parts, found)
    elif _classes_beside(root, splits_among(root.held)):
        _read_classes(root, None, found)
        _splits_in_classes(root, found)
        _splits_beside_classes(root, found)
    return found


def _classes_beside(root: Node, splits: set[str]) -> bool:
    """Return whether enough folders aren't named like splits for them to be the classes."""
    classes = [name for name in root.held if name not in splits and name.casefold() not in UNLABELLED | POOLS]
    return not splits or len(classes) > 1


def _read_splits(root: Node, parts: dict[str, Node], found: ClassFolders) -> None:
    for name, part in parts.items():
        inner = _inside(part, found)
        split = show_path(name)
        if _has_classes(inner):
            _read_classes(inner, split, found)
            continue
        rows = list(inner.every())
        found.add(rows, None, split)
        found.notes.append(_unlabelled(split, len(rows)))
    for name, node in root.below.items():
        if name in parts:
            continue
        rows = list(node.every())
        if name.casefold() in UNLABELLED:
            found.add(rows, None, show_path(name))
        elif rows:
            found.skipped[BESIDE_SPLITS] += len(rows)
            found.notes.append(f"Folder '{show_path(name)}' lies beside the splits: {_left_out(len(rows))}")
    found.skipped[LOOSE] += len(root.direct)


def _left_out(count: int) -> str:
    return f"its {counted(count, 'image')} {noun(count, 'is', 'are')} left out."


def _unlabelled(split: str, count: int) -> str:
    images = f"its {counted(count, 'image')} {noun(count, 'has', 'have')}"
    return f"Split '{split}' has no class folders: {images} no label."


def _read_classes(root: Node, split: str | None, found: ClassFolders) -> None:
    found.skipped[LOOSE] += len(root.direct)
    nested = []
    for name, node in root.below.items():
        rows = list(node.every())
        if not rows:
            found.empty.append(show_path(node.path))
        elif name.casefold() in UNLABELLED:
            found.add(rows, None, split)
        elif name.casefold() in (POOLS if len(root.held) > 1 else CONTAINERS):
            _leave_out(node, found)
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
        "are the classes, give one of the upper folders, or a table with labels=."
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


def _splits_beside_classes(root: Node, found: ClassFolders) -> None:
    """Take the labels from folders of images named like splits beside class folders: `test/7.jpg` has none.

    A train is a thing, too, and a class among others where nothing else is named like a split.
    """
    like = splits_among(root.held)
    if like and {name.casefold() for name in like} == {"train"}:
        found.notes.append("Folder 'train' is taken for a class among others, though it is named like a split.")
        return
    places = {image: show_path(name) for name in like for image in root.held[name].every()}
    if not places:
        return
    known = found.splits or [""] * len(found.names)
    found.splits = [places.get(image, split) for image, split in zip(found.names, known, strict=True)]
    found.labels = [None if image in places else label for image, label in zip(found.names, found.labels, strict=True)]
    for name, count in Counter(places.values()).items():
        found.notes.append(_unlabelled(name, count))


def _parts(root: Node) -> dict[str, Node]:
    """Return the splits; empty where there are none."""
    like = splits_among(root.held)
    held = {name: node for name, node in root.held.items() if name in like and _has_classes(node)}
    others = [node for name, node in root.held.items() if name not in like and name.casefold() not in UNLABELLED]
    if {name.casefold() for name in held} == {"train"} and len(like) == 1 and len(others) > 1:
        # A train is a thing, too: a class among classes that are parted like it.
        held = {} if all(not node.direct for node in others) or len(held["train"].held) < 2 else held
    return {name: node for name, node in root.held.items() if name in like} if held else {}


def _has_classes(node: Node) -> bool:
    """Return whether a folder holds class folders, directly or inside one more folder."""
    inner = _inside(node, ClassFolders())
    return any(name.casefold() not in CONTAINERS for name in inner.held)


def _inside(part: Node, found: ClassFolders) -> Node:
    """Return the folder with a split's content, also where it lies in a second one: `test_set/test_set/cat`."""
    node = _unwrapped(part, found)
    while not node.direct and len(node.held) == 1:
        (child,) = node.held.values()
        if child.direct or not child.held:
            break
        node = _unwrapped(child, found)
    return node


def _unwrapped(node: Node, found: ClassFolders) -> Node:
    """Return the folder inside any that hold nothing but one folder, or `images` beside folders of the same classes."""
    while not node.direct:
        pool = _pool(node)
        if pool is not None:
            for other in (other for other in node.held.values() if other is not pool):
                _leave_out(other, found)
            node = pool
            continue
        if len(node.held) != 1:
            break
        (name, child), *_ = node.held.items()
        if child.direct or not child.held or is_split(name):
            break
        node = child
        if name.casefold() not in CONTAINERS:
            found.notes.append(f"Folder '{show_path(child.path)}' is taken for the one around the classes.")
    return node


def _pool(node: Node) -> Node | None:
    """Return the folder `images` with class folders, beside one other folder or several of the same classes."""
    pools = [child for name, child in node.held.items() if name.casefold() in CONTAINERS]
    if len(pools) != 1 or pools[0].direct or len(pools[0].held) < 2 or splits_among(node.held):
        return None
    others = [child for child in node.held.values() if child is not pools[0]]
    same = all(child.held.keys() & pools[0].held.keys() for child in others)
    return pools[0] if others and (same or len(others) == 1) else None


def _leave_out(node: Node, found: ClassFolders) -> None:
    count = sum(1 for _ in node.every())
    found.skipped[BESIDE_CLASSES] += count
    found.notes.append(f"Folder '{show_path(node.path)}' is no class: {_left_out(count)}")


def _reach(root: Node, folder: str) -> Node:
    node = root
    if folder:
        for name in folder.split("/"):
            path = f"{node.path}/{name}" if node.path else name
            node = node.below.setdefault(name, Node(path))
    return node
