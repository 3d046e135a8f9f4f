"""What people give where labelled images are due, answered by a sentence that says how to make them."""

from __future__ import annotations

from pathlib import Path

from deft.data.images import LabeledImages
from deft.errors import SettingsError


def check_images(given: object, taker: str, reader: str = "load_images") -> None:
    """Refuse what isn't labelled images, such as the path of a folder.

    Args:
        given: Anything.
        taker: What takes the images, for the sentence.
        reader: What reads them, for the sentence.

    Raises:
        SettingsError: They are none.

    Example:
        >>> check_images("photos/", "detect")
        Traceback (most recent call last):
        deft.errors.SettingsError: detect takes labelled images, not 'photos/': deft.load_images('photos/').
    """
    if isinstance(given, LabeledImages):
        return
    kind = f"something of the type {type(given).__name__}"
    if isinstance(given, str | Path):
        said, how = repr(str(given)), f"deft.{reader}({str(given)!r})"
    elif given is None or hasattr(given, "verdicts"):
        said, how = "None" if given is None else repr(given), "those that deft.load_images returns"
    elif hasattr(given, "columns") or hasattr(given, "column_names"):
        said, how = kind, "deft.load_images(data)"
    else:
        said, how = kind, "deft.load_images(images, labels=labels)"
    raise SettingsError(f"{taker} takes labelled images, not {said}: {how}.")
