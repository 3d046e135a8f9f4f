"""Names and paths as a page shows them: they come from strangers, and may hold anything.

Escaping what is markup is the page's own work.
"""

from __future__ import annotations

import unicodedata

CONTROL = ("Cc", "Cs", "Zl", "Zp")  # control characters, lone surrogates, line and paragraph separators


def shown(text: object) -> str:
    r"""Return text on one line that any file can hold: control characters and lone surrogates as escapes.

    Marks of direction stay; the page puts names into isolates of their own instead.

    Example:
        >>> shown("a\x00b")
        'a\\x00b'
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in CONTROL else char
        for char in str(text)
    )


def isolated(text: str) -> str:
    """Return text whose writing direction can't affect what follows, where elements can't be used (titles, alt)."""
    return f"\u2068{text}\u2069"
