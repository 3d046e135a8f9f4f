"""Tables as text: which mark cuts their rows, and whether their first line is a header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from deft.data.columns import known_columns
from deft.data.endings import IMAGE_ENDINGS, is_image
from deft.data.table import Table
from deft.errors import DataError

MARKS = ",\t;|"
"""What usually stands between the fields; any other mark that cuts all rows alike is found too."""

SAMPLE = 200  # lines by which the mark is chosen
_NEVER = set(" \"'./\\_-()[]{}+@#&%")  # marks that stand in names and paths
_PATH_AND_LABEL = re.compile(rf"(.*(?:{'|'.join(re.escape(e) for e in sorted(IMAGE_ENDINGS))}))\s+(\S.*)", re.I)

_NUMBERS = re.compile(r"-?\d+(\.\d+)?(\s+-?\d+(\.\d+)?)+")
_MARKS_OF_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STATED = re.compile(r"\"?sep=(.)\"?", re.I)

Row = tuple[int, list[str]]
"""The number of a line, and its fields."""


def read_delimited(source: str, data: bytes) -> Table:
    """Read a table whose fields are cut by one mark, or a list of paths and labels with blanks between.

    Args:
        source: What the table is called.
        data: Its content: UTF-8 (stray bytes survive), Windows-1252, UTF-16 or UTF-32, with or without a header. A
            first line that names an image is a row, and no header.

    Raises:
        DataError: It isn't text, no mark cuts its rows alike, or a row has too many fields; with the line's number.
    """
    text, notes = as_text(source, data)
    rows = list(_cut(source, text))
    if not rows:
        return Table([], {}, [])
    headed = not any(is_image(field.strip()) for field in rows[0][1])
    width = len(rows[0][1])
    columns = _header(source, rows[0][1]) if headed else [f"column {place + 1}" for place in range(width)]
    body = [row for row in rows[1:] if row[1] != rows[0][1]] if headed else rows
    again = len(rows) - 1 - len(body) if headed else 0
    if again:
        notes.append(f"{source} repeats its header {again} times, as joined files do; those lines are no rows.")
    for number, fields in body:
        if any(field.strip() for field in fields[width:]):
            raise DataError(f"Line {number} of {source} has {len(fields)} fields, its first line {width}.")
    padded: list[list[str | None]] = [[*fields[:width], *[None] * (width - len(fields))] for _, fields in body]
    values = {name: [row[place] for row in padded] for place, name in enumerate(columns)}
    likely = (None, None) if headed else _likely(columns, values)
    return Table(columns, values, [number for number, _ in body], likely, notes=notes)


def as_text(source: str, data: bytes) -> tuple[str, list[str]]:
    """Return the text of a file and, where it isn't UTF-8, the sentence that says how it was read.

    UTF-16 and UTF-32 are known by their mark, or by the zeros in their first line. A file without any letter of UTF-8
    beyond ASCII, but with bytes that Windows-1252 has letters for, is in that; other stray bytes stay what they are, as
    names of files may hold them.

    Args:
        source: What the file is called.
        data: Its content.

    Raises:
        DataError: It isn't text.
    """
    wide = _wide(data[:8192])
    if wide is not None:
        try:
            return data.decode(wide).removeprefix("\ufeff"), []
        except UnicodeDecodeError as error:
            raise DataError(f"{source} can't be read as a table: it isn't whole {wide[:6].upper()}.") from error
    if b"\0" in data[:8192]:
        raise DataError(f"{source} can't be read as a table: it isn't text.")
    data = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x1a")
    text = data.decode("utf-8", "surrogateescape")
    beyond = {char for char in set(text) if not char.isascii()}
    stray = [char for char in beyond if "\udc80" <= char <= "\udcff"]
    if not stray:
        return text, []
    if len(stray) == len(beyond) and all(_is_western(char) for char in stray):
        return data.decode("cp1252"), [f"{source} isn't UTF-8: it is read as Windows-1252 (Latin-1)."]
    return text, [f"{source} has bytes that aren't UTF-8: they are kept, and shown as \\x and their number."]


def _wide(start: bytes) -> str | None:
    """Return the form of Unicode with two or four bytes a letter that a file is in, by how it starts; None for others.

    Without a mark, letters of ASCII have zeros beside them, always on the same side: names of columns and paths do.
    """
    for mark, name in _MARKS_OF_WIDE:
        if start.startswith(mark):
            return name
    line = start[: max(start.find(b"\n"), 8)]
    for name, width, zeros in (
        ("utf-32-le", 4, (1, 2, 3)),
        ("utf-32-be", 4, (0, 1, 2)),
        ("utf-16-le", 2, (1,)),
        ("utf-16-be", 2, (0,)),
    ):
        letters = len(line) // width
        if letters and all(line[place::width][:letters].count(0) >= 0.9 * letters for place in zeros):
            return name
    return None


def _is_western(char: str) -> bool:
    """Return whether a byte that isn't UTF-8 is a letter or a mark of Windows-1252."""
    byte = bytes([ord(char) - 0xDC00])
    return byte.decode("cp1252", "ignore").isprintable() and byte not in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")


def _cut(source: str, text: str) -> Iterator[Row]:
    every = _without_comments(text.splitlines(keepends=True))
    text = "".join(every)
    lines = [line.rstrip("\r\n") for line in every[:SAMPLE] if line.strip()]
    if not lines:
        return iter(())
    stated = _STATED.fullmatch(lines[0].strip())
    if stated is not None and len(lines) > 1:  # what Excel calls a separator
        return islice(_by_mark(source, text, stated[1], lines), 1, None)
    mark = _mark(lines)
    if mark is not None:
        return _by_mark(source, text, mark, lines)
    way = _by_blanks(lines)
    if way is not None:
        cut = ((number, way(line)) for number, line in enumerate(text.splitlines(), start=1) if line.strip())
        return ((number, fields) for number, fields in cut)
    raise DataError(
        f"{source} can't be read as a table: no mark ({' '.join(repr(mark)[1:-1] for mark in MARKS)} or another) cuts "
        f"its lines into the same number of fields, and they are no list of paths and labels. Its first line is "
        f"{len(lines[0])} characters long."
    )


def _without_comments(lines: list[str]) -> list[str]:
    """Return lines with the comments at the top made empty; a header with # has as many fields as the rows below."""
    found = list(lines)
    rest = [line for line in lines[:SAMPLE] if line.strip() and not line.startswith("#")]
    for number, line in enumerate(lines):
        if not line.startswith("#"):
            break
        if not any(len(_fields([line], mark)[0]) == len(_fields(rest[:1], mark)[0]) > 1 for mark in MARKS if rest):
            found[number] = "\n"
    return found


def _mark(lines: Sequence[str]) -> str | None:
    """Return the mark that cuts all lines alike, preferably into known columns or paths; else one for the header."""
    likely = _alike(lines, MARKS) or _alike(lines, sorted(_others(lines[0])))
    if likely:
        return max(likely, key=lambda found: (_tells(found[1]), found[2]))[0]
    if all(_PATH_AND_LABEL.fullmatch(line.strip()) for line in lines[1:]) and len(lines) > 1:
        return None
    pieces = {mark: _fields(lines[:1], mark)[0] for mark in MARKS}
    mark = max(MARKS, key=lambda mark: len(pieces[mark]))
    return mark if len(pieces[mark]) > 1 else None


def _alike(lines: Sequence[str], marks: Sequence[str]) -> list[tuple[str, list[list[str]], int]]:
    found = []
    for mark in marks:
        rows = _fields(lines, mark)
        counts = {len(row) for row in rows}
        if len(counts) == 1 and min(counts) > 1 and (_tells(rows) or mark in MARKS):
            found.append((mark, rows, min(counts)))
    return [one for one in found if _tells(one[1])] or ([] if _listed(lines) else found)


def _listed(lines: Sequence[str]) -> bool:
    return all(_PATH_AND_LABEL.fullmatch(line.strip()) for line in lines[1:] or lines)


def _tells(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows name columns that are known, or images."""
    return known_columns(rows[0]) or any(is_image(field.strip()) for field in rows[-1])


def _fields(lines: Sequence[str], mark: str) -> list[list[str]]:
    try:
        file = io.StringIO("\n".join(lines), newline="")
        rows = csv.reader(file, delimiter=mark, skipinitialspace=_quotes_after_blanks(lines, mark))
        return [row for row in rows if row] or [[]]
    except csv.Error:
        return [[]]


def _quotes_after_blanks(lines: Sequence[str], mark: str) -> bool:
    """Return whether blanks stand between marks and quotes, so that they are no part of a field."""
    return any(f'{mark} "' in line for line in lines)


def _others(line: str) -> set[str]:
    return {char for char in line if not char.isalnum() and char not in _NEVER and char not in MARKS and char != "\n"}


def _by_mark(source: str, text: str, mark: str, some: Sequence[str]) -> Iterator[Row]:
    blanks = _quotes_after_blanks(some, mark)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=blanks)
    while True:
        try:
            fields = next(lines, None)
        except csv.Error as error:
            raise DataError(f"Line {lines.line_num} of {source} can't be read: {error}.") from error
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield lines.line_num, fields


def _by_blanks(lines: Sequence[str]) -> Callable[[str], list[str]] | None:
    """Return how blanks cut lines: between a path and its label, or into equally many words."""
    if _listed(lines):
        found = [_PATH_AND_LABEL.fullmatch(line.strip()) for line in lines]
        numbers = all(found is not None and _NUMBERS.fullmatch(found[2]) for found in found)
        return _path_and_numbers if numbers else _path_and_label
    if len({len(line.split()) for line in lines}) == 1 and len(lines[0].split()) > 1:
        return str.split
    return None


def _path_and_label(line: str) -> list[str]:
    found = _PATH_AND_LABEL.fullmatch(line.strip())
    return line.split(maxsplit=1) if found is None else [found[1], found[2]]


def _path_and_numbers(line: str) -> list[str]:
    path, numbers = _path_and_label(line)
    return [path, *numbers.split()]


def _header(source: str, fields: Sequence[str]) -> list[str]:
    columns = [field.strip() or f"column {place + 1}" for place, field in enumerate(fields)]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{source} has two columns of one name: {', '.join(name[:40] for name in twice[:5])}.")
    return columns


def _likely(columns: Sequence[str], values: dict[str, list[str | None]]) -> tuple[str | None, str | None]:
    """Return the columns of a headerless table: image files, and the labels.

    These are the only other column, the only one of words, or the one beside an index in front, as MXNet has it.
    """
    images = [name for name in columns if all(is_image((cell or "").strip()) for cell in values[name][:SAMPLE])]
    if len(images) != 1:
        return None, None
    others = [name for name in columns if name != images[0]]
    words = [name for name in others if not all(_is_number(cell) for cell in values[name][:SAMPLE])]
    indexed = len(others) == 2 and others[0] == columns[0] and len(set(values[others[0]])) == len(values[others[0]])
    for some in (others, words, others[1:] if indexed and not words else []):
        if len(some) == 1:
            return images[0], some[0]
    return images[0], None


def _is_number(cell: str | None) -> bool:
    return re.fullmatch(r"\s*-?\d*\.?\d*\s*", cell or "") is not None
