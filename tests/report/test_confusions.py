"""Transition matrix, pairs and table per class, counted by hand."""

from __future__ import annotations

import numpy as np

from deft.report.confusions import LARGEST_MAP, class_table, pair_table, transition

from .runs import make


def test_the_rows_of_the_matrix_are_true_classes() -> None:
    flagged = np.array([True, False, False, False, True, False])
    predicted = np.array([1, 1, 0, 1, 0, 1])
    # given 0 1 0 1 0 1; the first is a 1 called 0; the fifth is flagged though nothing fits better: left out.
    found = make(6, ("cat", "dog"), flagged=flagged, predicted=predicted)[1]
    cells = {(cell.row, cell.column): cell for cell in transition(found).cells}
    assert set(cells) == {(0, 0), (1, 0), (1, 1)}
    assert (cells[0, 0].text, cells[1, 0].text, cells[1, 1].text) == ("100", "25", "75")
    assert cells[1, 0].title == "\u2068dog\u2069, labelled \u2068cat\u2069: 25.0\u00a0% (1 of 4)"
    assert cells[1, 1].diagonal
    assert not cells[1, 0].diagonal


def test_many_classes_are_cut_to_the_most_confused_and_it_says_so() -> None:
    names = tuple(f"species {number} of many" for number in range(300))
    given = np.arange(3000) % 300
    flagged = (given >= 40) & (given < 45) & (np.arange(3000) < 600)
    found = make(3000, names, flagged=flagged, predicted=np.where(flagged, 7, given))[1]
    heat = transition(found)
    assert len(heat.rows) == LARGEST_MAP
    assert heat.columns[-1] == "others"
    assert "species 7 of many" in " ".join(cell.title for cell in heat.cells)
    assert {"species 40 of many", "species 44 of many"} <= set(heat.rows)
    assert heat.note.startswith(f"The {LARGEST_MAP} of 300 classes")
    for row in range(LARGEST_MAP):
        assert 98 <= sum(float(cell.text or 0) for cell in heat.cells if cell.row == row) <= 102


def test_tables_have_cleanlabs_columns_and_the_worst_first() -> None:
    summary = make(40)[1].summary()
    table = class_table(summary)
    assert table.columns[:4] == ("Class Name", "Images", "Judged", "Label Issues")
    issues = [int(row[3]) for row in table.rows]
    assert issues == sorted(issues, reverse=True)
    assert sum(issues) == 10
    pairs = pair_table(summary)
    assert pairs.rows[0] == ("cat", "dog", "4", "28.6\u00a0%")


def test_a_long_table_is_cut_and_says_so() -> None:
    table = class_table(make(1000, tuple(f"kind of thing {number}" for number in range(500)))[1].summary())
    assert len(table.rows) == 400
    assert table.note.startswith("100 classes with fewer issues not shown")
