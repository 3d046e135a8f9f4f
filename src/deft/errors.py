"""Every error that deft raises on purpose.

    DeftError
    ├── DataError        the images, labels or tables given can't be used
    │   ├── ConflictError  somebody else decided in the meantime
    │   └── UnreadableError  none of the images can be used
    ├── ModelError       a model can't be loaded, or can't do what is asked of it
    ├── SettingsError    an option's value makes no sense
    └── AloneError       another process of the run has ended

Each message says what was given, what was expected and what exists; the command line prints it as one
sentence and exits with status 2. A bug of ours is never one of these.
"""

from __future__ import annotations

from collections.abc import Mapping


class DeftError(Exception):
    """Base of all errors that a user of deft can mend."""


class DataError(DeftError):
    """The images, labels or tables given can't be used."""


class ConflictError(DataError):
    """Another reviewer has decided about the same image in the meantime."""


class UnreadableError(DataError):
    """None of the images can be used.

    Args:
        message: The sentence.
        reasons: Why, by file name.
    """

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message)
        self.reasons = reasons


class ModelError(DeftError):
    """A model can't be loaded, or can't do what is asked of it."""


class SettingsError(DeftError, ValueError):
    """A setting has a value that isn't allowed."""


class AloneError(DeftError):
    """Another process that this one worked with has ended."""
