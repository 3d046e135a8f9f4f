"""What is odd about class names."""

from __future__ import annotations

import numpy as np
import pytest

from deft.report.names import check_names
from deft.report.page import NameNote

from .runs import make


def notes(*names: str) -> dict[tuple[str, ...], str]:
    found = make(4 * len(names), names, flagged=np.zeros(4 * len(names), bool))[1]
    return {note.names: note.text for note in check_names(found)}


@pytest.mark.parametrize("code", ["176", "class_3", "n01440764", "x", "Label 12", "ab12", "3f2a9c01", "_", "C7"])
def test_codes_are_named(code: str) -> None:
    assert notes("cat", "dog", code) == {
        (code,): "1 name says nothing to a model that reads words; give them words (deft detect --words)."
    }


@pytest.mark.parametrize("word", ["ox", "boeing 747 cockpit", "犬", "class clown", "U-boat", "deadbeat", "café"])
def test_words_are_not_codes(word: str) -> None:
    assert notes("cat", "dog", word) == {}


def test_the_same_name_twice() -> None:
    found = notes("Hot_dog", "hot dogs", "cat")
    assert found == {("Hot_dog", "hot dogs"): "the same but for case, plural or punctuation."}


def test_names_spelt_almost_alike() -> None:
    assert list(notes("apple tree", "maple tree", "cat", "car")) == [("apple tree", "maple tree")]


def test_a_series_is_one_note() -> None:
    assert list(notes("room number 1", "room number 2", "room number 3")) == [
        ("room number 1", "room number 2", "room number 3")
    ]


def test_classes_taken_for_each_other_need_both_ways() -> None:
    given = np.arange(40) % 2
    both, one_way = np.arange(40) < 8, (np.arange(40) < 8) & (given == 0)
    predicted = np.where(both, 1 - given, given)
    found = make(40, ("wolf", "husky"), flagged=both, predicted=predicted)[1]
    (note,) = check_names(found)
    assert isinstance(note, NameNote)
    assert note.names == ("wolf", "husky")
    assert "20.0\u00a0% of each" in note.text
    assert check_names(make(40, ("wolf", "husky"), flagged=one_way, predicted=predicted)[1]) == ()


def test_two_thousand_names_are_checked() -> None:
    letters = "abcdefghijklmnopqrst"
    names = tuple("".join((a, b, c, a, b)) for a in letters for b in letters for c in letters[:5])
    assert len(names) == 2000
    found = make(len(names), names)[1]
    assert len(check_names(found)) <= 60


def test_names_that_mean_the_same_to_the_model_are_told_once() -> None:
    alike = [["kitten", "cat", 0.938], ["hot dog", "hot dogs", 0.99], ["class_1", "class_2", 0.97]]
    names = ("kitten", "cat", "hot dog", "hot dogs", "class_1", "class_2")
    found = make(24, names, flagged=np.zeros(24, bool), info={"close_names": alike})[1]
    told = {note.names: note.text for note in check_names(found)}
    assert told["kitten", "cat"] == "mean nearly the same to the model (similarity 0.94)."
    assert told["hot dog", "hot dogs"].startswith("the same but for case")
    assert set(told) == {("kitten", "cat"), ("hot dog", "hot dogs"), ("class_1", "class_2")}


def test_a_long_series_names_a_few() -> None:
    found = notes(*(f"room number {number}" for number in range(20)))
    ((names, text),) = found.items()
    assert names == tuple(f"room number {number}" for number in range(6))
    assert text == "and 14 more differ only in a number."
