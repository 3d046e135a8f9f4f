"""Where the files of a data set lie: a folder's tree, or an archive's, without what other programs left in it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from deft.data.endings import is_image
from deft.data.readers import FileReader, ImageReader, file_problem, show_path
from deft.wording import counted, noun

DROPPINGS = frozenset(
    (
        "@eadir", "__macosx", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
        "__pycache__", "_thumbs", "__thumbs",
    )
)  # fmt: skip
"""Folders that other programs leave behind; nothing in them is an image of the data."""

THUMBNAILS = frozenset(("thumbnails", "thumbs", "thumb", "_thumbnails"))
"""Folders of small copies, if they lie inside a folder with the images themselves."""

DEEPEST = 60
"""Folders within folders that are looked into."""

LEFT_FILES = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db"))


class Tree(ABC):
    """Files below one root; names are relative to it, with "/" between."""

    where: str
    images: Sequence[str]
    others: Sequence[str]
    folders: Sequence[str]
    skipped: Counter[str]
    notes: list[str]

    @abstractmethod
    def reader(self, names: Sequence[str]) -> ImageReader:
        """Return a reader of these files, one row each."""

    @abstractmethod
    def content(self, name: str) -> bytes:
        """Return the bytes of a small file, such as a table.

        Raises:
            DataError: It can't be read.
        """

    @abstractmethod
    def problem(self, name: str) -> str | None:
        """Say why there can be no image in a file, as far as can be told without opening it."""


@dataclass(eq=False)
class FolderTree(Tree):
    """A folder of this machine. Links to folders are followed once, and said.

    Args:
        root: The folder.
        where: What it is called.
        images: Its image files, folder by folder, in order.
        others: Its other files, but for droppings.
        folders: All folders below it.
        skipped: Files and folders that are passed over, by kind.
        notes: What a person should know, a sentence each.
    """

    root: Path
    where: str
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def reader(self, names: Sequence[str]) -> FileReader:
        return FileReader(tuple(os.path.join(self.root, name) for name in names))

    def content(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def problem(self, name: str) -> str | None:
        return file_problem(os.path.join(self.root, name))


def folder_tree(root: Path) -> FolderTree:
    """List what lies below a folder; nothing is opened.

    Args:
        root: The folder.
    """
    tree = FolderTree(root, show_path(str(root)))
    walk = _Walk(tree, os.path.realpath(root))
    walk.into("", (walk.home,))
    walk.tell()
    return tree


class _Walk:
    """One pass over a folder's tree."""

    def __init__(self, tree: FolderTree, home: str) -> None:
        self.tree, self.home = tree, home
        self.followed: set[str] = set()
        self.inside = self.outside = self.circles = self.files = 0

    def into(self, folder: str, above: tuple[str, ...]) -> None:
        """List a folder, then those in it.

        Args:
            folder: Relative to the root; empty for the root itself.
            above: Real paths of the folders that lead here, so that a circle of links ends.
        """
        try:
            entries = sorted(os.scandir(os.path.join(self.tree.root, folder)), key=lambda entry: entry.name)
        except OSError:
            self.tree.skipped["folders that can't be opened"] += 1
            return
        below = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                below.append((name, entry))
            else:
                self._file(name, entry)
        for name, entry in below:
            self._folder(name, entry, above)

    def tell(self) -> None:
        """Say what links there were."""
        links = self.inside + self.outside
        if links or self.circles:
            leave = f", {self.outside} of them out of the folder" if self.outside else ""
            again = f"; {self.circles} that lead back or were followed already were not" if self.circles else ""
            followed = f"{counted(links, 'link')} to folders {noun(links, 'was', 'were')}"
            self.tree.notes.append(f"{self.tree.where}: {followed} followed{leave}{again}.")
        if self.files:
            are = noun(self.files, "is a link that leads", "are links that lead")
            self.tree.notes.append(f"{self.tree.where}: {counted(self.files, 'file')} {are} out of the folder.")

    def _file(self, name: str, entry: os.DirEntry[str]) -> None:
        if entry.name.startswith(".") or entry.name.casefold() in LEFT_FILES:
            self.tree.skipped["hidden"] += 1
        elif is_image(entry.name):
            self.files += entry.is_symlink() and not _within(os.path.realpath(entry.path), self.home)
            self.tree.images.append(name)
        else:
            self.tree.others.append(name)

    def _folder(self, name: str, entry: os.DirEntry[str], above: tuple[str, ...]) -> None:
        kind = dropping(name) or ("folders nested too deep" if name.count("/") >= DEEPEST else None)
        if kind is not None:
            self.tree.skipped[kind] += 1
            return
        real = os.path.realpath(entry.path) if entry.is_symlink() else f"{above[-1]}/{entry.name}"
        if entry.is_symlink():
            if real in above or real in self.followed:
                self.circles += 1
                return
            self.followed.add(real)
            if _within(real, self.home):
                self.inside += 1
            else:
                self.outside += 1
        self.tree.folders.append(name)
        self.into(name, (*above, real))


def dropping(name: str) -> str | None:
    """Return the kind of a folder that is passed over, None where it isn't.

    Args:
        name: Name of the folder, with those that lead to it.
    """
    last = name.rpartition("/")[2].casefold()
    if last.startswith("."):
        return "hidden folders"
    if last in DROPPINGS:
        return "folders that other programs left"
    return "folders of thumbnails" if last in THUMBNAILS and "/" in name else None


def passed_over(name: str) -> str | None:
    """Return the kind of a file that is passed over for its name or that of a folder above it, None where it isn't.

    Args:
        name: Of the file, with the folders that lead to it.
    """
    parts = name.split("/")
    folders = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    kind = next(filter(None, map(dropping, folders)), None)
    hidden = parts[-1].startswith(".") or parts[-1].casefold() in LEFT_FILES
    return "hidden" if kind is None and hidden else kind


def finish_tree(tree: Tree) -> None:
    """Put the files of a tree that was listed without its folders in order, folder by folder, and name the folders.

    Args:
        tree: With its images and other files.
    """
    tree.images = sorted(tree.images, key=_folder_first)
    tree.others = sorted(tree.others, key=_folder_first)
    folders = {str(parent) for name in (*tree.images, *tree.others) for parent in PurePosixPath(name).parents}
    tree.folders = sorted(folders - {"."})


def _folder_first(name: str) -> tuple[str, str]:
    folder, _, last = name.rpartition("/")
    return folder, last


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
