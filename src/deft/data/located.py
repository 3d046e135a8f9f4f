"""Files that a table names, found on this machine: path marks, Unicode forms, case, endings and roots of elsewhere."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from deft.data.endings import IMAGE_ENDINGS, is_image
from deft.data.readers import file_problem, show_path

TRIED = 100  # cells by which the folder is chosen that paths are relative to
DEEPEST, MOST_FILES = 3, 1_000_000  # how far bare names are looked for below a table
_ENDINGS = [form for ending in (".jpg", ".png", ".jpeg", *sorted(IMAGE_ENDINGS)) for form in (ending, ending.upper())]
_ROOTED = re.compile(r"[A-Za-z]:/|/")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SERVED = re.compile(r"/data/local-files/?\?d=([^&]+)")
_FILE = re.compile(r"file://(?:localhost)?(?=/)", re.I)

There = Callable[[str], bool]
Near = Callable[[str], str | None]


@dataclass
class Finder:
    """Finds files under other spellings of their names.

    Args:
        there: Says whether there is a file of a name.
        near: Returns the only file that is like a name but for case and Unicode form; None where there is none.
        endings: Endings to try where a name has none; those that fit come to the front.
        otherwise: How many files were found under another spelling.
    """

    there: There
    near: Near
    endings: list[str] = field(default_factory=lambda: list(dict.fromkeys(_ENDINGS)))
    otherwise: int = 0

    def find(self, name: str) -> str | None:
        """Return the name under which the file is there; None if it isn't under any."""
        if self.there(name):
            return name
        for form in self._forms(name):
            found = form if self.there(form) else self.near(form)
            if found is not None:
                self.otherwise += 1
                return found
        return None

    def _forms(self, name: str) -> Iterator[str]:
        """Yield other forms of a path: Windows' marks, both Unicode forms (Macs write NFD), no ending, only its end."""
        plain = _FILE.sub("", name).replace("\\", "/")
        spelt = (name, plain, *([unquote(plain)] if "%" in plain else []), *_in_bytes(plain), *_uploaded(plain))
        texts = dict.fromkeys(form(text) for text in spelt for form in (str, _nfc, _nfd))
        yield from texts
        if not is_image(name):
            for ending in self.endings:
                for text in texts:
                    yield text + ending
                    if self.there(text + ending):
                        self.endings.insert(0, self.endings.pop(self.endings.index(ending)))
        if _ROOTED.match(plain):
            parts = plain.rstrip("/").split("/")[1:]
            for start in range(len(parts)):
                tail = "/".join(parts[start:])
                yield from dict.fromkeys(form(tail) for form in (str, _nfc, _nfd))


def finder_in(folder: str) -> Finder:
    """Return a finder of files below a folder of this machine.

    Args:
        folder: The folder; its content is listed where a name isn't there as it is spelt, and kept.
    """
    listings: dict[str, dict[str, list[str]]] = {}

    def near(name: str) -> str | None:
        place = "" if os.path.isabs(name) else folder
        found = []
        for part in name.split("/"):
            if not part or part == "." or part == ".." or _exists(os.path.join(place, part)):
                found.append(part)
            else:
                if place not in listings:
                    listings[place] = by_fold(_listing(place))
                like = listings[place].get(fold(part), [])
                if len(like) != 1:
                    return None
                found.append(like[0])
            place = os.path.join(place, found[-1] or "/")
        return "/".join(found)

    return Finder(lambda name: _exists(os.path.join(folder, name)), near)


def fold(name: str) -> str:
    """Return what spellings of a file's name share that differ in case and Unicode form."""
    return _nfc(_nfc(name).casefold())


def by_fold(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names by what they share."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(fold(name), []).append(name)
    return found


def by_last(names: Iterable[str]) -> dict[str, list[str]]:
    """Return paths by what the names of their files share, and by the same without the ending, with "/" behind it."""
    found: dict[str, list[str]] = {}
    for name in names:
        last = fold(name.rpartition("/")[2])
        for key in (last, os.path.splitext(last)[0] + "/"):
            found.setdefault(key, []).append(name)
    return found


def only_one(cell: str, by_name: Mapping[str, Sequence[str]]) -> str | None:
    """Return the only file of a bare name, with an ending or without, wherever it lies; None for none or several.

    Args:
        cell: What a table says.
        by_name: From `by_last`.
    """
    for key in () if "/" in cell or "\\" in cell else (fold(cell), fold(cell) + "/"):
        like = by_name.get(key, ())
        if like:
            return like[0] if len(like) == 1 else None
    return None


def images_below(folder: str) -> list[str]:
    """Return the images below a folder, three levels deep; none where more than a million files lie there.

    Args:
        folder: Where a table lies; hidden folders below it are passed over.
    """
    found: list[str] = []
    seen = 0
    top = os.path.abspath(folder)
    for above, folders, files in os.walk(top):
        deep = 0 if above == top else os.path.relpath(above, top).count(os.sep) + 1
        folders[:] = [] if deep >= DEEPEST else sorted(name for name in folders if not name.startswith("."))
        seen += len(files)
        if seen > MOST_FILES:
            return []
        found += [os.path.join(above, name) for name in sorted(files) if is_image(name)]
    return found


@dataclass(frozen=True)
class Located:
    """Files on this machine.

    Args:
        paths: Paths of each image; empty where a cell is blank.
        problems: Row to reason, of the images that can't be there.
        otherwise: How many are there under another spelling than the table's.
        scattered: How many bare names were found in folders below.
    """

    paths: tuple[str, ...]
    problems: dict[int, str]
    otherwise: int
    scattered: int = 0


def locate(cells: Sequence[str], folders: Sequence[Path], there: Sequence[str] | None = None) -> Located:
    """Find the files that cells name.

    Args:
        cells: Paths, relative to one of the folders, or absolute; blank ones stay blank.
        folders: Where to look; the first under which one of the first hundred files exists is taken, else the last.
        there: Images that are known to lie there, a bare name that only one of them has means it; None to look below
            the last of the folders if a file is missing.
    """
    base = _base(cells, folders)
    finder = finder_in(base)
    by_name = None if there is None else by_last(there)
    paths: list[str] = []
    problems: dict[int, str] = {}
    scattered = 0
    for row, cell in enumerate(cells):
        path = os.path.normpath(os.path.join(base, cell)) if cell else ""
        problem = file_problem(path)
        if problem is not None and cell and not _exists(path):
            found = finder.find(cell)
            if found is None:
                by_name = by_last(images_below(os.fspath(folders[-1]))) if by_name is None else by_name
                found = only_one(cell, by_name)
                scattered += found is not None
            if found is not None:
                path = os.path.normpath(os.path.join(base, found))
                problem = file_problem(path)
            elif is_address(cell):
                problem = elsewhere(cell)
        paths.append(path)
        if problem is not None:
            problems[row] = problem
    return Located(tuple(paths), problems, finder.otherwise, scattered)


def is_address(cell: str) -> bool:
    """Say whether a cell is an address elsewhere, such as https://..."""
    return _ADDRESS.match(cell) is not None and _FILE.match(cell) is None


def elsewhere(cell: str) -> str:
    """Return the reason why an address can't be read."""
    found = _ADDRESS.match(cell)
    return f"an address elsewhere ({found[1] if found else ''}://), which isn't read: copy the file here"


def shown_name(cell: str) -> str:
    """Return what a person knows a file by: the table's own path, without detours."""
    return show_path(cell if _ADDRESS.match(cell) else os.path.normpath(cell))


def _base(cells: Sequence[str], folders: Sequence[Path]) -> str:
    some = [cell for cell in cells[:TRIED] if cell]
    for folder in folders:
        if any(_exists(os.path.join(folder, cell)) for cell in some):
            return os.fspath(folder)
    for folder in folders:
        finder = finder_in(os.fspath(folder))
        if any(finder.find(cell) is not None for cell in some):
            return os.fspath(folder)
    return os.fspath(folders[-1])


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a null byte in a name
        return False


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder or "/")
    except (OSError, ValueError):
        return []


def served_path(cell: str) -> str:
    """Return the path of a file that Label Studio serves in place; any other cell as it is.

    Example:
        >>> served_path("/data/local-files/?d=photos/a%20b.png"), served_path("a%20b.png")
        ('photos/a b.png', 'a%20b.png')
    """
    served = _SERVED.search(cell)
    return cell if served is None else unquote(served[1])


def _uploaded(name: str) -> list[str]:
    """Return the name that a file had before it was uploaded to Label Studio."""
    uploaded = re.search(r"(?:^|/)upload/\d+/(?:[0-9a-f]{8}-)?([^/]+)$", name)
    return [] if uploaded is None else [unquote(uploaded[1])]


def _in_bytes(name: str) -> list[str]:
    """Return the name of a file whose bytes are those of Windows-1252, if there can be one."""
    if name.isascii():
        return []
    try:
        return [os.fsdecode(name.encode("cp1252"))]
    except UnicodeEncodeError:
        return []


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)
