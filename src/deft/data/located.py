"""From what a table calls an image to the file that is meant: other path marks, Unicode forms, endings and roots."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deft.data.endings import IMAGE_ENDINGS, is_image
from deft.data.readers import file_problem, show_path

TRIED = 100  # cells by which the folder is chosen that paths are relative to
_ENDINGS = [form for ending in (".jpg", ".png", ".jpeg", *sorted(IMAGE_ENDINGS)) for form in (ending, ending.upper())]
_ROOTED = re.compile(r"[A-Za-z]:/|/")


@dataclass
class Finder:
    """Finds files under other spellings of their names.

    Args:
        there: Says whether there is a file of a name.
        endings: Endings to try where a name has none; those that fit come to the front.
    """

    there: Callable[[str], bool]
    endings: list[str] = field(default_factory=lambda: list(dict.fromkeys(_ENDINGS)))
    otherwise: int = 0

    def find(self, name: str) -> str | None:
        """Return the name under which the file is there; None if it isn't under any."""
        if self.there(name):
            return name
        for form in self._forms(name):
            if self.there(form):
                self.otherwise += 1
                return form
        return None

    def _forms(self, name: str) -> Iterator[str]:
        """Yield other forms of a path: Windows' marks, both Unicode forms (Macs write NFD), no ending, only its end."""
        plain = name.replace("\\", "/")
        texts = dict.fromkeys(form(text) for text in (name, plain) for form in (str, _nfc, _nfd))
        yield from texts
        if not is_image(name):
            for ending in self.endings:
                for text in texts:
                    yield text + ending
                    if self.there(text + ending):
                        self.endings.insert(0, self.endings.pop(self.endings.index(ending)))
        if _ROOTED.match(plain):
            parts = plain.split("/")[1:]
            for start in range(len(parts)):
                tail = "/".join(parts[start:])
                yield from dict.fromkeys(form(tail) for form in (str, _nfc, _nfd))


@dataclass(frozen=True)
class Located:
    """Files on this machine.

    Args:
        paths: Paths of each image; empty where a cell is blank.
        problems: Row to reason, of the images that can't be there.
        otherwise: How many are there under another spelling than the table's.
    """

    paths: tuple[str, ...]
    problems: dict[int, str]
    otherwise: int


def locate(cells: Sequence[str], folders: Sequence[Path]) -> Located:
    """Find the files that cells name.

    Args:
        cells: Paths, relative to one of the folders, or absolute; blank ones stay blank.
        folders: Where to look; the first under which one of the first hundred files exists is taken, else the last.
    """
    base = _base(cells, folders)
    finder = Finder(lambda name: _exists(os.path.join(base, name)))
    paths: list[str] = []
    problems: dict[int, str] = {}
    for row, cell in enumerate(cells):
        path = os.path.normpath(os.path.join(base, cell)) if cell else ""
        problem = file_problem(path)
        if problem is not None and cell and not _exists(path):
            found = finder.find(cell)
            if found is not None:
                path = os.path.normpath(os.path.join(base, found))
                problem = file_problem(path)
        paths.append(path)
        if problem is not None:
            problems[row] = problem
    return Located(tuple(paths), problems, finder.otherwise)


def shown_name(cell: str) -> str:
    """Return what a person knows a file by: the table's own path, without detours."""
    return show_path(os.path.normpath(cell))


def _base(cells: Sequence[str], folders: Sequence[Path]) -> str:
    some = [cell for cell in cells[:TRIED] if cell]
    for look in (_plainly, _otherwise):
        for folder in folders:
            if any(look(folder, cell) for cell in some):
                return os.fspath(folder)
    return os.fspath(folders[-1])


def _plainly(folder: Path, cell: str) -> bool:
    return _exists(os.path.join(folder, cell))


def _otherwise(folder: Path, cell: str) -> bool:
    return Finder(lambda name: _exists(os.path.join(folder, name))).find(cell) is not None


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a null byte in a name
        return False


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)
