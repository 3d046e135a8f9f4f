"""What people give where verdicts are due, answered by a sentence that says where they come from."""

from __future__ import annotations

from deft.arguments import said
from deft.errors import SettingsError
from deft.runs.detection import Detection


def check_found(given: object, taker: str, other: str = "") -> None:
    """Refuse what isn't a detection, such as the images that were judged.

    Args:
        given: Anything.
        taker: What takes the verdicts, for the sentence.
        other: What else it takes, for the sentence.

    Raises:
        SettingsError: It is none.

    Example:
        >>> check_found(None, "fix_labels(found, images)")
        Traceback (most recent call last):
        deft.errors.SettingsError: fix_labels(found, images) takes verdicts, not None: what detect returned.
    """
    if not isinstance(given, Detection):
        raise SettingsError(f"{taker} takes verdicts, not {said(given)}: what detect returned{other}.")
