"""The notebook runs as it stands, from a folder to a classifier, and its numbers are what it promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).parents[2] / "examples" / "clean_and_train.ipynb"
SECONDS = 600
"""A cell may take; all of them take about half a minute."""


def said(cell: Any) -> str:
    """Return what a cell printed."""
    return "".join(one.get("text", "") for one in cell.outputs)


def loud(cell: Any) -> list[str]:
    """Return what a cell said on standard error, such as warnings."""
    return [one.text for one in cell.get("outputs", ()) if one.get("name") == "stderr"]


def shown(cell: Any, kind: str) -> list[str]:
    """Return what a cell shows of a kind."""
    return [one["data"][kind] for one in cell.outputs if kind in one.get("data", {})]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Cells by their id, after the notebook ran in a kernel of its own."""
    place = tmp_path_factory.mktemp("notebook")
    book = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "TMPDIR"):
            (place / name).mkdir()
            patch.setenv(name, str(place / name))
        client = nbclient.NotebookClient(book, kernel_name="python3", timeout=SECONDS, startup_timeout=120)
        client.execute(cwd=str(place))
    return {cell.id: cell for cell in book.cells}


def test_it_is_kept_without_outputs_in_lines_that_fit() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert [line for cell in book.cells for line in cell.source.splitlines() if len(line) > 120] == []


def test_wrong_labels_are_found(cells: dict[str, Any]) -> None:
    assert said(cells["draw"]).strip() == "50 of 240 lie in the wrong folder"
    precision, recall = (int(share) for share in re.findall(r"(\d+)%", said(cells["score"])))
    assert precision >= 90
    assert recall >= 85
    assert re.match(r"All 5|\d of its \d nearest", said(cells["why"]))
    assert shown(cells["why"], "image/png")


def test_nothing_is_said_beside(cells: dict[str, Any]) -> None:
    assert {name: shown for name, cell in cells.items() if (shown := loud(cell))} == {}


def test_one_bar_stands_below_the_cell_and_the_worst_as_a_table(cells: dict[str, Any]) -> None:
    bar, table = shown(cells["find"], "text/html")
    assert re.fullmatch(r"Took \d+:\d\d\.", bar)
    assert "<table>" in table


def test_the_clean_folder_holds_everything_and_few_are_wrong(cells: dict[str, Any]) -> None:
    written, wrong = map(int, re.findall(r"\d+", said(cells["clean"])))
    assert written == 240
    assert wrong <= 8


def test_the_classifier_names_new_pictures(cells: dict[str, Any]) -> None:
    right, count = map(int, re.findall(r"\d+", said(cells["train"])))
    assert count == 60
    assert right >= 90
