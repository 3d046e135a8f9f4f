"""Which column of a table is which: named by the user, or guessed from a short list, aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deft.errors import DataError
from deft.progress import Progress

IMAGE_COLUMNS = ("image", "img", "file_name", "filename", "filepath", "path", "image_path")
"""Names under which a column is taken to hold the images or their paths, in any case."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "given_label")
"""Names under which a column is taken to hold the labels, in any case."""

SPLIT_COLUMN = "split"
"""The column that, where there is one, tells which split a row belongs to."""


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

    def settle(self, there: Sequence[str], source: str, progress: Progress) -> Columns:
        """Return the columns of a table that has the columns `there`.

        Raises:
            DataError: One that was named isn't there, or one can't be guessed.
        """
        image = _settle(self.image, there, IMAGE_COLUMNS, ("image", "--image-col", source))
        label = _settle(self.label, there, LABEL_COLUMNS, ("label", "--label-col", source))
        if self.clean is not None:
            _settle(self.clean, there, (), ("true label", "--clean-col", source))
        guesses = []
        if self.image is None:
            guesses.append(f"images from column '{image}' (--image-col)")
        if self.label is None:
            guesses.append(f"labels from column '{label}' (--label-col)")
        if guesses:
            progress.note(f"{source}: taking {' and '.join(guesses)}.")
        return Columns(image, label, self.clean)


def _settle(named: str | None, there: Sequence[str], known: Sequence[str], words: tuple[str, str, str]) -> str:
    kind, option, source = words
    columns = ", ".join(there) or "(none)"
    if named is not None:
        if named in there:
            return named
        raise DataError(f"{source} has no column '{named}' for {option}; its columns are: {columns}.")
    found = [column for column in there if column.strip().casefold() in known]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{source} has several columns that may hold the {kind}: {', '.join(found)}; its columns are: "
            f"{columns}. Choose one with {option}."
        )
    raise DataError(
        f"{source} has no column that is known to hold the {kind} ({', '.join(known)}); "
        f"its columns are: {columns}. Name one with {option}."
    )
