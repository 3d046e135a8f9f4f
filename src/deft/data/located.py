"""Files that a table names, found on this machine; under another spelling, if only one fits."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from deft.data.endings import is_image
from deft.data.readers import file_problem, show_path
from deft.data.spellings import FILE, by_last, exists, finder_in, of_bare_name

TRIED = 100  # cells by which the folder is chosen that paths are relative to
DEEPEST, MOST_FILES = 3, 1_000_000  # how far bare names are looked for below a table
SEVERAL = "several files fit its name"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SERVED = re.compile(r"/data/local-files/?\?d=([^&]+)")


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
        several: Files that fit the name of a row, where there are more than one.
    """

    paths: tuple[str, ...]
    problems: dict[int, str]
    otherwise: int
    scattered: int = 0
    several: Mapping[int, Sequence[str]] = field(default_factory=dict)


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
    several: dict[int, Sequence[str]] = {}
    scattered = 0
    for row, cell in enumerate(cells):
        path = os.path.normpath(os.path.join(base, cell)) if cell else ""
        problem = file_problem(path)
        if problem is not None and cell and not exists(path):
            found = finder.find(cell)
            if not found:
                by_name = by_last(images_below(os.fspath(folders[-1]))) if by_name is None else by_name
                found = of_bare_name(cell, by_name)
                scattered += len(found) == 1
            if len(found) > 1:
                several[row], problem = found, SEVERAL
            elif found:
                path = os.path.normpath(os.path.join(base, found[0]))
                problem = file_problem(path)
            elif is_address(cell):
                problem = elsewhere(cell)
        paths.append(path)
        if problem is not None:
            problems[row] = problem
    return Located(tuple(paths), problems, finder.otherwise, scattered, several)


def is_address(cell: str) -> bool:
    """Say whether a cell is an address elsewhere, such as https://..."""
    return _ADDRESS.match(cell) is not None and FILE.match(cell) is None


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
        if any(exists(os.path.join(folder, cell)) for cell in some):
            return os.fspath(folder)
    for folder in folders:
        finder = finder_in(os.fspath(folder))
        if any(finder.find(cell) for cell in some):
            return os.fspath(folder)
    return os.fspath(folders[-1])


def served_path(cell: str) -> str:
    """Return the path of a file that Label Studio serves in place; any other cell as it is.

    Example:
        >>> served_path("/data/local-files/?d=photos/a%20b.png"), served_path("a%20b.png")
        ('photos/a b.png', 'a%20b.png')
    """
    served = _SERVED.search(cell)
    return cell if served is None else unquote(served[1])
