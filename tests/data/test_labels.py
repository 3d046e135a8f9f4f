"""What a cell says: a label, none, or several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from deft.data.labels import MISSING, read_labels, read_names
from deft.errors import DataError


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ([1, None, 2], [1, None, 2]),
        ([1.0, float("nan"), np.float32(2)], [1, None, 2]),
        (["1", " 02 ", ""], ["1", "02", None]),
        (["1", "01", "001"], ["1", "01", "001"]),
        (["0.0", "1.0", ""], [0, 1, None]),
        (["-1.0", "12.000"], [-1, 12]),
        (["1.0", "cat"], ["1.0", "cat"]),
        (["1", "1.0"], ["1", "1.0"]),
        ([True, False], ["True", "False"]),
        ([b"cat", np.str_("dog")], ["cat", "dog"]),
        ([b"\xfe", b"\xff", "é".encode()], ["\\xfe", "\\xff", "é"]),
        ([np.int64(3), -1], [3, -1]),
        ([2.5], ["2.5"]),
        ([pd.NA, pd.NaT, "x"], [None, None, "x"]),
        ([["cat"], [], '["dog"]'], ["cat", None, "dog"]),
        (["[brackets]", "x"], ["[brackets]", "x"]),
    ],
)
def test_cells(cells: list[Any], values: list[Any]) -> None:
    column = read_labels(cells)
    assert column.values == values
    assert column.problems == {}


def test_words_for_a_missing_value_are_no_label_and_said() -> None:
    column = read_labels(["cat", "NaN", "nan", "nan"])
    assert column.values == ["cat", None, None, None]
    assert column.notes[0].startswith("Cells that say 'nan' 2, 'NaN' 1 are read as no label")
    for text in MISSING:
        assert read_labels([text, "cat"]).values == [None, "cat"]
        assert read_labels([text, "cat"], known={text}).values == [text, "cat"]
        assert read_names([text]).values == [text]
    assert read_labels(["NA", "none", "Null"]).values == ["NA", "none", "Null"]


@pytest.mark.parametrize("mark", ["|", ";", ",", " | "])
def test_several_labels_in_one_cell_make_the_row_unusable_and_say_so(mark: str) -> None:
    column = read_labels(["cat", "dog", f"cat{mark}dog"])
    assert column.values == ["cat", "dog", None]
    assert column.problems == {2: "several labels in one cell: cat, dog"}


def test_pieces_that_come_again_are_labels_too() -> None:
    column = read_labels(["a|b", "a|c", "b|c", "x"])
    assert list(column.problems) == [0, 1, 2]


def test_marks_that_belong_to_a_name_stay() -> None:
    for cells in (["tabby, tabby cat", "tabby"], ["AC|DC", "Abba"], ["salt;pepper", "oil"], ["a|", "a"]):
        assert read_labels(cells).values == cells
    assert read_labels(["cat", "dog", "cat|dog"], known={"cat|dog"}).values == ["cat", "dog", "cat|dog"]


@pytest.mark.parametrize("cell", [["cat", "dog"], ("cat", "dog"), '["cat", "dog"]', np.array(["cat", "dog"])])
def test_lists_of_labels(cell: Any) -> None:
    assert read_labels([cell, "cat"]).problems == {0: "several labels in one cell: cat, dog"}


def test_a_label_that_names_nothing() -> None:
    with pytest.raises(DataError, match="must be text or an integer, not dict"):
        read_labels([{"a": 1}])


def test_spellings_that_are_read_as_one_label_are_said() -> None:
    column = read_labels(["cat", " cat", "cat\xa0", "dog", " emu"])
    assert column.values == ["cat", "cat", "cat", "dog", "emu"]
    assert column.notes == (
        "Read as one label, as they differ in blanks around them alone: 'cat', ' cat', 'cat\\xa0'.",
    )


def test_a_number_in_two_spellings_is_two_classes_and_said() -> None:
    column = read_labels(["1", "1.0", "2", "3"])
    assert column.values == ["1", "1.0", "2", "3"]
    assert column.notes == ("Taken for different classes, though they are the same number: '1' and '1.0'.",)


def test_cells_that_may_all_hold_several_labels_are_said() -> None:
    column = read_labels(["cat,dog", "dog,bird", "bird,cat", "cat,dog"])
    assert column.values == ["cat,dog", "dog,bird", "bird,cat", "cat,dog"]
    assert column.notes == (
        "Taken for classes, though they may be several labels in one cell: 'bird,cat', 'cat,dog', 'dog,bird'.",
    )
    assert read_labels(["tench, Tinca tinca", "goldfish, Carassius auratus"]).notes == ()
