"""Other spellings under which a file may lie: path marks, Unicode forms, case, endings and roots of elsewhere."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from deft.data.endings import is_image

_ROOTED = re.compile(r"[A-Za-z]:/|/")
FILE = re.compile(r"file://(?:localhost)?(?=/)", re.I)

There = Callable[[str], bool]
Near = Callable[[str], Sequence[str]]


@dataclass
class Finder:
    """Finds files under other spellings of their names.

    Args:
        there: Says whether there is a file of a name.
        near: Returns the files that are like a name but for case and Unicode form.
        beside: Returns the images that are like it but for those and an ending.
        otherwise: How many files were found under another spelling.
    """

    there: There
    near: Near
    beside: Near
    otherwise: int = 0

    def find(self, name: str) -> Sequence[str]:
        """Return the name under which the file is there; none if it isn't under any, several where several fit."""
        if self.there(name):
            return [name]
        found = next((fit for fit in self._fits(name) if fit), ())
        self.otherwise += len(found) == 1
        return found

    def _fits(self, name: str) -> Iterator[Sequence[str]]:
        """Yield what fits forms of a path: Windows' marks, both Unicode forms (Macs write NFD), no ending, its end."""
        plain = FILE.sub("", name).replace("\\", "/")
        spelt = (name, plain, *([unquote(plain)] if "%" in plain else []), *_in_bytes(plain), *_uploaded(plain))
        texts = dict.fromkeys(form(text) for text in spelt for form in (str, _nfc, _nfd))
        yield from map(self._like, texts)
        if not is_image(name):
            yield from map(self.beside, texts)
        if _ROOTED.match(plain):
            parts = plain.rstrip("/").split("/")[1:]
            for start in range(len(parts)):
                tail = "/".join(parts[start:])
                yield from map(self._like, dict.fromkeys(form(tail) for form in (str, _nfc, _nfd)))

    def _like(self, name: str) -> Sequence[str]:
        return [name] if self.there(name) else self.near(name)


def finder_in(folder: str) -> Finder:
    """Return a finder of files below a folder of this machine.

    Args:
        folder: The folder; its content is listed where a name isn't there as it is spelt, and kept.
    """
    listings: dict[str, dict[str, list[str]]] = {}
    images: dict[str, dict[str, list[str]]] = {}

    def like(place: str, part: str) -> Sequence[str]:
        if not part or part == "." or part == ".." or exists(os.path.join(place, part)):
            return [part]
        if place not in listings:
            listings[place] = by_fold(_listing(place))
        return listings[place].get(fold(part), [])

    def fitting(place: str, part: str) -> Sequence[str]:
        if place not in images:
            images[place] = by_stem(_listing(place))
        return spelt_alike(part, images[place])

    def walked(name: str, last: Callable[[str, str], Sequence[str]]) -> Sequence[str]:
        parts = name.split("/")
        ways: list[tuple[str, list[str]]] = [("" if os.path.isabs(name) else folder, [])]
        for step, part in zip([*(like for _ in parts[1:]), last], parts, strict=True):
            ways = [(os.path.join(at, one or "/"), [*gone, one]) for at, gone in ways for one in step(at, part)]
        return ["/".join(gone) for _, gone in ways]

    def near(name: str) -> Sequence[str]:
        return walked(name, like)

    def beside(name: str) -> Sequence[str]:
        return walked(name, fitting)

    return Finder(lambda name: exists(os.path.join(folder, name)), near, beside)


def fold(name: str) -> str:
    """Return what spellings of a file's name share that differ in case and Unicode form."""
    return _nfc(_nfc(name).casefold())


def by_fold(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names by what they share."""
    return by_fold_of(str, names)


def by_fold_of(part: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    """Return names by what a part of them shares."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(fold(part(name)), []).append(name)
    return found


def by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    """Return images by what their names share without the ending."""
    return by_fold_of(lambda name: os.path.splitext(name)[0], filter(is_image, names))


def spelt_alike(name: str, images: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the images that have a name but for the ending: those that spell it so, if any do.

    Args:
        name: Without an ending.
        images: From `by_stem`.
    """
    like = sorted(images.get(fold(name), ()))
    return [one for one in like if os.path.splitext(one)[0] == name] or like


def by_last(names: Iterable[str]) -> dict[str, list[str]]:
    """Return paths by what the names of their files share, and by the same without the ending, with "/" behind it."""
    found: dict[str, list[str]] = {}
    for name in names:
        last = fold(name.rpartition("/")[2])
        for key in (last, os.path.splitext(last)[0] + "/"):
            found.setdefault(key, []).append(name)
    return found


def of_bare_name(cell: str, by_name: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the files of a bare name, with an ending or without, wherever they lie.

    Args:
        cell: What a table says.
        by_name: From `by_last`.
    """
    for key in () if "/" in cell or "\\" in cell else (fold(cell), fold(cell) + "/"):
        if by_name.get(key):
            return by_name[key]
    return ()


def exists(path: str) -> bool:
    """Say whether a path is there, be it a broken link."""
    try:
        return os.path.lexists(path)
    except ValueError:  # a null byte in a name
        return False


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder or "/")
    except (OSError, ValueError):
        return []


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
