"""Folders of images: one folder per class, with or without splits, or a table beside the images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deft.data.assemble import SourceRows
from deft.data.readers import FileReader, file_problem, show_path
from deft.data.tables import Columns, from_table
from deft.errors import DataError
from deft.progress import Progress

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Tables that a folder of images may carry, as in Hugging Face's imagefolder."""

SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"))
"""Folder names that are splits, if all folders of the first level are such."""

IMAGE_ENDINGS = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".j2k",
        ".avif",
        ".heic",
        ".heif",
        ".jxl",
        ".tga",
        ".ico",
    ]
)
"""Endings of the files that are taken for images."""


@dataclass
class _Listing:
    paths: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)


def from_folder(root: Path, columns: Columns, progress: Progress) -> SourceRows:
    """Read a folder.

    Args:
        root: A folder with a metadata table, or with one folder per class, or with one folder per split
            that has one folder per class.
        columns: What the user says about the metadata table's columns.
        progress: Told what was skipped.

    Raises:
        DataError: It is empty or has no class folders.
    """
    for name in METADATA:
        if (root / name).is_file():
            return from_table(root / name, columns, progress, [root])
    if columns.image or columns.label or columns.clean:
        raise DataError(f"{root} has no table, so there are no columns to name; give one with --labels.")
    listing = _Listing()
    top = _folders(root)
    in_splits = bool(top) and all(name.casefold() in SPLITS for name in top)
    in_splits = in_splits and any(_folders(root / name) for name in top)
    for name in top if in_splits else [""]:
        _list_classes(root, name, listing)
    if not listing.paths:
        raise DataError(_nothing(root, listing))
    _tell(root, listing, progress)
    problems = ((row, file_problem(path)) for row, path in enumerate(listing.paths))
    return SourceRows(
        source=show_path(str(root)),
        reader=FileReader(tuple(listing.paths)),
        file_name=listing.names,
        labels=listing.labels,
        split=listing.splits if in_splits else None,
        errors={row: problem for row, problem in problems if problem is not None},
    )


def _list_classes(root: Path, split: str, listing: _Listing) -> None:
    folder = root / split
    for entry in sorted(os.listdir(folder)):
        if entry.startswith(".") or not os.path.isdir(folder / entry):
            if not os.path.isdir(folder / entry):
                listing.skipped[_kind(entry, loose=True)] += 1
            continue
        before = len(listing.paths)
        for path in _files(os.path.join(folder, entry), listing):
            listing.paths.append(path)
            listing.names.append(show_path(os.path.relpath(path, root).replace(os.sep, "/")))
            listing.labels.append(entry)
            listing.splits.append(split)
        if len(listing.paths) == before:
            listing.empty.append(show_path(os.path.join(split, entry)))


def _files(folder: str, listing: _Listing) -> Iterator[str]:
    """Yield the images below a class folder, in order; links to folders are followed, but not in circles."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(here))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__MACOSX")) and os.path.realpath(os.path.join(here, name)) not in seen
        )
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_ENDINGS:
                yield os.path.join(here, name)
            else:
                listing.skipped[_kind(name)] += 1


def _kind(name: str, *, loose: bool = False) -> str:
    if name.startswith(".") or name.casefold() in ("thumbs.db", "desktop.ini"):
        return "hidden"
    ending = show_path(os.path.splitext(name)[1].lower())
    if ending in IMAGE_ENDINGS:
        return "image outside of the class folders" if loose else ending
    return ending or "without an ending"


def _folders(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith(".") and os.path.isdir(folder / name))


def _nothing(root: Path, listing: _Listing) -> str:
    where = show_path(str(root))
    if listing.skipped.get("image outside of the class folders"):
        return f"{where} has images but no class folders: give their labels as a table with --labels (labels=)."
    if any(name.casefold().endswith(".parquet") for name in os.listdir(root)):
        return f"{where} has Parquet files but no class folders: name one of the files."
    expected = "expected one folder per class, or metadata.csv with a file_name column"
    if listing.empty:
        return f"No images in {where}: its folders ({', '.join(listing.empty[:5])}) have none; {expected}."
    return f"No images in {where}: it is empty or has no class folders; {expected}."


def _tell(root: Path, listing: _Listing, progress: Progress) -> None:
    if listing.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in listing.skipped.most_common(8))
        total = sum(listing.skipped.values())
        progress.note(f"{show_path(str(root))}: skipped {total} files that are no images of a class ({kinds}).")
    if listing.empty:
        progress.note(f"Class folders without images, left out: {', '.join(listing.empty[:10])}.")
