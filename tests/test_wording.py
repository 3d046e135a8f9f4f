"""Numbers and their nouns agree."""

from __future__ import annotations

import pytest

from deft.report.words import plural
from deft.wording import counted, noun


@pytest.mark.parametrize(
    ("number", "says"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (12345, "12345 images")]
)
def test_a_noun_follows_its_number(number: int, says: str) -> None:
    assert counted(number, "image") == says


def test_irregular_nouns_and_verbs_are_named() -> None:
    assert counted(3, "class", "classes") == "3 classes"
    assert [noun(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


def test_reports_count_by_the_same_rule_with_gaps_between_thousands() -> None:
    assert plural(1, "image") == "1 image"
    assert plural(12345, "class", "classes") == "12\u202f345 classes"
