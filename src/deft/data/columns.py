"""Which columns of a table hold the images, the labels and the splits: as the user says, or guessed and said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deft.errors import DataError
from deft.progress import Progress

IMAGE_COLUMNS = (
    "image", "img", "file_name", "filename", "filepath", "file_path", "file", "path", "image_path", "img_path",
    "image_file", "image_name", "image_id",
)  # fmt: skip
"""Names under which a column is taken to hold the images or their paths, in any case, as `File Name` or `fileName`."""

IDS = ("id",)
"""Names under which a column is taken to hold the images' names where there is none of the others."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "given_label", "class_name", "choice")
"""Names under which a column is taken to hold the labels, in any case."""

SPLIT_COLUMN = "split"
"""The column that, where there is one, tells which split a row belongs to; in any case."""

SHOWN = 20  # columns that a sentence lists


class NoLabels(DataError):
    """A table has no column that is known to hold labels."""


@dataclass(frozen=True)
class Columns:
    """What the user says about columns; None is to be guessed.

    Args:
        image: The column with the images or their paths.
        label: The column with the labels.
        clean: The column with the true labels, if there is one; never guessed.
    """

    image: str | None = None
    label: str | None = None
    clean: str | None = None

    def settle(
        self,
        there: Sequence[str],
        source: str,
        progress: Progress,
        likely: tuple[str | None, str | None] = (None, None),
    ) -> Columns:
        """Return the columns of a table that has the columns `there`.

        Args:
            there: Names of its columns.
            source: What the table is called.
            progress: Told of guesses.
            likely: Columns of images and labels by what is in them, where the table has no header.

        Raises:
            DataError: One that was named isn't there, or one can't be guessed.
        """
        image = _settle(self.image or likely[0], there, IMAGE_COLUMNS, ("image", "image_column=", source))
        label = _settle(self.label or likely[1], there, LABEL_COLUMNS, ("label", "label_column=", source))
        if self.clean is not None:
            _settle(self.clean, there, (), ("true label", "clean_column=", source))
        guesses = []
        if self.image is None:
            guesses.append(f"images from column '{image}' (image_column=)")
        if self.label is None:
            guesses.append(f"labels from column '{label}' (label_column=)")
        if guesses:
            progress.note(f"{source}: taking {' and '.join(guesses)}.")
        return Columns(image, label, self.clean)


def split_column(names: Sequence[str]) -> str | None:
    """Return the column that tells which split a row belongs to; None where there is none.

    Example:
        >>> split_column(["Image", "Split"]), split_column(["image"])
        ('Split', None)
    """
    return next((name for name in names if _folded(name) == SPLIT_COLUMN), None)


def known_columns(names: Sequence[str]) -> bool:
    """Say whether a column of these names is one of images and another one of labels."""
    return bool(_known(names, IMAGE_COLUMNS)) and bool(_known(names, LABEL_COLUMNS))


def _settle(named: str | None, there: Sequence[str], known: Sequence[str], words: tuple[str, str, str]) -> str:
    kind, argument, source = words
    columns = _listed(there)
    if named is not None:
        if named in there:
            return named
        raise DataError(f"{source} has no column '{named}' for {argument}; its columns are: {columns}.")
    found = _known(there, known) or (_known(there, IDS) if known is IMAGE_COLUMNS else [])
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{source} has several columns that may hold the {kind}: {', '.join(found)}; its columns are: "
            f"{columns}. Choose one with {argument}."
        )
    header = "" if source.startswith("The ") else "; if its first line is a row, put a header above it"
    raise (NoLabels if known is LABEL_COLUMNS else DataError)(
        f"{source} has no column that is known to hold the {kind} ({', '.join(known)}); "
        f"its columns are: {columns}. Name one with {argument}{header}."
    )


def _known(there: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the columns whose names are known, whatever their case, and with blanks, hyphens or nothing for "_"."""
    folded = {_folded(name) for name in known}
    return [column for column in there if _folded(column) in folded]


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _listed(there: Sequence[str]) -> str:
    names = ", ".join(name[:40] for name in there[:SHOWN]) or "(none)"
    return names + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
