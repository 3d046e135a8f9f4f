"""Numbers and untrusted text as a person reads them."""

from __future__ import annotations

import pytest

from deft.data.printable import shown
from deft.report.words import count, percent, score, short


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00\x1b[31mb\nc", "a\\x00\\x1b[31mb\\nc"),
        ("lone \ud83d", "lone \\ud83d"),
        ("line\u2028end", "line\\u2028end"),
        ("שלום \u202e 👩‍👧", "שלום \u202e 👩‍👧"),
    ],
)
def test_only_what_no_file_can_hold_is_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert shown(text).encode()


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, "0.0000"), (0.00002, "< 0.0001"), (0.5, "0.500"), (1.0, "1.000")]
)
def test_scores_are_short(value: float, expected: str) -> None:
    assert score(value) == expected


def test_numbers() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
    assert percent(0.12345) == "12.3\u00a0%"
    assert percent(float("nan")) == "–"
    assert short("abcdefgh", 4) == "ab…h"
    assert short("abcd", 4) == "abcd"
