"""A label patch meets another copy of the data: which rows it is about, and what it does to their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deft.data.image_bytes import content_id
from deft.data.images import LabeledImages
from deft.data.table_writer import write_label_table
from deft.errors import DataError
from deft.export.patch import Change, Patch
from deft.files import replace_file
from deft.progress import Progress
from deft.wording import counted

Labels = tuple[str | None, ...]


@dataclass(frozen=True)
class Match:
    """Where a change belongs.

    Args:
        row: Row of the data; None for none.
        problem: Why there is none.
        note: What a person should know although there is one.
    """

    row: int | None
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Applied:
    """What a patch did.

    Args:
        labels: Label of each row afterwards; None for none.
        changed: Rows that got another label.
        already: Rows that had the new label before.
        problems: The changes that could not be made, and why, a sentence each.
        notes: What a person should know of changes that were made.
    """

    labels: Labels
    changed: tuple[int, ...]
    already: tuple[int, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def apply_patch(patch: Patch, images: LabeledImages, progress: Progress) -> Applied:
    """Put a patch on the labels of a data set; nothing is written.

    Args:
        patch: What changes.
        images: The data and its present labels.
        progress: Told of every image that is read to tell which one it is.

    Raises:
        DataError: None of the patch's images is there.

    Example:
        >>> apply_patch(Patch.load("patch.json"), load_images("photos/"), Silent()).changed  # doctest: +SKIP
        (17, 40)
    """
    matches = find_rows(patch.changes, images, progress)
    if patch.changes and all(match.row is None for match in matches):
        raise DataError(
            f"Of the patch's {counted(len(patch), 'image')}, none is in this data, neither by content nor by name, "
            f"such as {patch.changes[0].file}."
        )
    return change_labels(patch.changes, matches, images.given_names())


def change_labels(changes: Sequence[Change], matches: Sequence[Match], labels: Sequence[str | None]) -> Applied:
    """Change the labels of the rows that were found.

    A label changes only where it is what the patch says it was.

    Args:
        changes: What changes.
        matches: Where each belongs; no row twice.
        labels: Present label of each row.
    """
    after = list(labels)
    changed, already, problems, notes = [], [], [], []
    for change, match in zip(changes, matches, strict=True):
        if match.row is None:
            problems.append(f"{change.file}: {match.problem}")
            continue
        present = labels[match.row]
        if present == change.to_label:
            already.append(match.row)
        elif present == change.from_label:
            after[match.row] = change.to_label
            changed.append(match.row)
            notes += [f"{change.file}: {match.note}"] if match.note else []
        else:
            problems.append(
                f"{change.file}: is labelled {_shown(present)}, neither {_shown(change.from_label)} nor "
                f"{_shown(change.to_label)}; left as it is"
            )
    return Applied(tuple(after), tuple(changed), tuple(already), tuple(problems), tuple(notes))


def find_rows(changes: Sequence[Change], images: LabeledImages, progress: Progress) -> list[Match]:
    """Find the row that each change is about.

    By content first; images of the same content are told apart by file name, then by the label that changes. Where the
    content is nowhere, by file name, unless that is only a row number, which another copy may give to another image.

    Args:
        changes: What is looked for.
        images: Where.
        progress: Told of every image that is read.

    Returns:
        One match for each change; no row is matched twice.
    """
    contents = _contents(changes, images, progress)
    rows_of: dict[str, list[int]] = {}
    for row, content in sorted(contents.items()):
        if content is not None:
            rows_of.setdefault(content, []).append(row)
    named: dict[str, list[int]] = {}
    for row, name in enumerate(images.file_name):
        named.setdefault(name, []).append(row)
    labels = images.given_names()
    taken: set[int] = set()
    matches = []
    for change in changes:
        match = _match(change, images.file_name, labels, rows_of, named, taken)
        matches.append(match)
        taken |= {match.row} if match.row is not None else set()
    return matches


def write_applied(images: LabeledImages, labels: Labels, target: Path) -> None:
    """Write every row with its label, as a table that `load_images` reads; a label that was taken away is blank.

    A label that the patch didn't change comes out as it came in, byte for byte.

    Args:
        images: The data.
        labels: Label of each row.
        target: Ends in .csv or .parquet.

    Raises:
        SettingsError: Another ending, or a CSV for images that are no files.
        DataError: The name of a file is not UTF-8.
    """
    columns: dict[str, Sequence[Any]] = {"label": images.spelt(labels)}
    if images.split is not None:
        columns["split"] = images.split
    with replace_file(target) as temporary:
        write_label_table(temporary, target, images, columns)


def _contents(changes: Sequence[Change], images: LabeledImages, progress: Progress) -> Mapping[int, str | None]:
    """Return the content of the rows that matter: those with a change's own file name, or all of them."""
    wanted = {(change.file, change.content) for change in changes if change.content is not None}
    files = {file for file, _ in wanted}
    likely = [row for row, name in enumerate(images.file_name) if name in files]
    found = _read(likely, images, progress)
    if wanted <= {(images.file_name[row], content) for row, content in found.items()}:
        return found
    others = np.setdiff1d(np.arange(len(images)), likely).tolist()
    return {**found, **_read(others, images, progress)}


def _read(rows: Sequence[int], images: LabeledImages, progress: Progress) -> dict[int, str | None]:
    steps: Iterable[int] = progress.track(rows, "Reading images to find those of the patch", total=len(rows))
    return {row: content_id(images, row) for row in steps}


def _match(
    change: Change,
    names: Sequence[str],
    labels: Sequence[str | None],
    rows_of: Mapping[str, Sequence[int]],
    named: Mapping[str, Sequence[int]],
    taken: set[int],
) -> Match:
    same: Sequence[int] = [row for row in rows_of.get(change.content or "", ()) if row not in taken]
    if len(same) > 1:
        same = _told_apart(change, names, labels, same)
    if len(same) == 1:
        return Match(same[0])
    if same:
        some = ", ".join(names[row] for row in same[:3])
        return Match(None, f"there are {len(same)} images of this content ({some}) and none of this name")
    rows = [row for row in named.get(change.file, ()) if row not in taken]
    if len(rows) != 1 or (change.content is not None and _is_number(change.file)):
        return Match(None, "not in this data" if not rows else "no image of this name has its content")
    return Match(rows[0], note="has this name but another content" if change.content is not None else "")


def _told_apart(
    change: Change, names: Sequence[str], labels: Sequence[str | None], rows: Sequence[int]
) -> Sequence[int]:
    """Return fewer of the rows that have the content of a change, if names or labels tell them apart."""
    ways: tuple[Callable[[int], bool], ...] = (
        lambda row: names[row] == change.file,
        lambda row: f"/{names[row]}".endswith(f"/{change.file}"),
        lambda row: labels[row] == change.from_label,
        lambda row: labels[row] == change.to_label,
    )
    left = rows
    for fits in ways:
        left = [row for row in left if fits(row)] or left
    one_file = len({(names[row], labels[row]) for row in left}) == 1
    return left[:1] if one_file else left


def _is_number(name: str) -> bool:
    """Return whether a name is that of a table and a row in it."""
    return name.rpartition("#")[2].isdecimal() and "#" in name


def _shown(label: str | None) -> str:
    return "not at all" if label is None else repr(label)
