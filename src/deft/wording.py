"""Words that go with numbers, and texts of strangers, for sentences that people read."""

from __future__ import annotations


def noun(number: float, one: str, many: str = "") -> str:
    """Return the form of a word that goes with a number.

    Args:
        number: How many there are.
        one: The word for one of them.
        many: The word for any other number; `one` with an s if not given.

    Example:
        >>> noun(2, "class", "classes"), noun(1, "is", "are")
        ('classes', 'is')
    """
    return one if number == 1 else many or f"{one}s"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Args:
        number: How many there are.
        one: The noun for one of them.
        many: The noun for any other number; `one` with an s if not given.

    Example:
        >>> counted(1, "image"), counted(1200, "image")
        ('1 image', '1200 images')
    """
    return f"{number} {noun(number, one, many)}"


def printable(text: object) -> str:
    r"""Return text with control characters, surrogates and the like shown as escapes, on one line.

    Args:
        text: Any; names of files may hold anything.

    Example:
        >>> printable("a\tb")
        'a\\tb'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text))
