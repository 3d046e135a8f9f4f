"""Names, numbers and JSON that nobody writes by mistake: sentences, not tracebacks."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deft.data.safe_csv import STARTS, neutral_cell, neutral_csv
from deft.files import parse_json, readable_json, strict_json

from .tools import FAST, deft, one_sentence

DEEP = "[" * 200_000


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def strict(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=no_constant)


def test_json_is_strict_and_every_letter_survives() -> None:
    value = {"nan": float("nan"), "deep": [{"inf": float("-inf")}, (1, 2.5)], "name": "Käse", 3: None}
    plain = {"nan": None, "deep": [{"inf": None}, [1, 2.5]], "name": "Käse", "3": None}
    assert json.loads(strict_json(value), parse_constant=no_constant) == plain
    assert strict_json(value).isascii()
    assert "Käse" in readable_json(value)
    assert readable_json({"a": "\udcff"}).isascii()


def test_deep_json_is_an_ordinary_error() -> None:
    with pytest.raises(ValueError, match=r"deeply nested|Expecting"):
        parse_json(DEEP)
    with pytest.raises(ValueError, match="digits"):
        parse_json("9" * 5000)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems have no such names")
def test_names_that_are_no_text_go_all_the_way(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(photos, tmp_path / "photos"))
    os.rename(os.fsencode(mine / "cat"), os.fsencode(mine) + b"/caf\xe9")
    os.rename(os.fsencode(mine / "dog" / "1.png"), os.fsencode(mine / "dog") + b"/\xff\xfe\n=1.png")
    run = tmp_path / "run"
    result = deft("detect", mine, "-o", run, "--model", clip_folder, *FAST, "--format", "json")
    one_sentence(result, 0)
    assert json.loads(result.stdout, parse_constant=no_constant)["images"] == 16
    assert len(pd.read_csv(run / "labels.csv")) == 16
    strict(run / "summary.json")
    one_sentence(deft("report", run), 0)
    for format in ("imagefolder", "cleanlab", "hf"):
        one_sentence(deft("export", run, "--to", tmp_path / format, "--as", format), 0)
    for format in ("csv", "parquet"):  # which hold paths
        assert "UTF-8" in one_sentence(deft("export", run, "--to", tmp_path / format, "--as", format))


def test_a_summary_without_numbers_is_strict_json(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    one_sentence(deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, *FAST), 0)
    assert strict(tmp_path / "run" / "summary.json")["images"] == 16
    assert strict(tmp_path / "run" / "run.json")["format"] == 1


@pytest.mark.parametrize("text", [DEEP, "{" + '"a":{' * 100_000, "9" * 5000, "null", '"', "\x00", "[" + "9" * 99 + "]"])
@pytest.mark.parametrize("name", ["labels.json", "labels.jsonl", "classes.json", "patch.json"])
def test_strange_json_anywhere_is_a_sentence(photos: Path, tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    if name == "patch.json":
        result = deft("apply", path, photos, "-o", tmp_path / "out.csv")
    elif name == "classes.json":
        result = deft("corrupt", photos, "--classes", path, "-o", tmp_path / "out.csv")
    else:
        result = deft("corrupt", photos, "--labels", path, "-o", tmp_path / "out.csv")
    one_sentence(result)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("label", ["9" * 99, "[" * 5000, "-" + "9" * 30, "1e999", "nan", "\udcff", "=1+1", "\x00"])
def test_strange_labels_are_names_or_sentences(photos: Path, tmp_path: Path, label: str) -> None:
    table = tmp_path / "labels.csv"
    with table.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "label"])
        writer.writerows([[str(photos / "cat" / f"{k}.png"), label if k % 2 else "cat"] for k in range(8)])
    result = deft("corrupt", table, "-o", tmp_path / "out.csv")
    assert result.exit_code in (0, 2), result.output
    one_sentence(result, result.exit_code)


def test_formulas_are_made_text_on_request(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(photos, tmp_path / "photos"))
    (mine / "dog").rename(mine / "=HYPERLINK(1)")
    for name, words in (("plain", ()), ("safe", ("--safe-csv",))):
        run = tmp_path / name
        one_sentence(deft("detect", mine, "-o", run, "--model", clip_folder, *FAST, *words), 0)
        labels = set(pd.read_csv(run / "labels.csv")["given_label"])
        assert labels == {"cat", "'=HYPERLINK(1)" if words else "=HYPERLINK(1)"}
        to = tmp_path / f"{name}-export"
        one_sentence(deft("export", run, "--to", to, "--as", "csv", "--fix", "keep", *words), 0)
        assert set(pd.read_csv(to / "labels.csv")["label"]) == labels


@given(st.lists(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), min_size=2, max_size=2), min_size=1))
@settings(max_examples=200, deadline=None)
def test_no_cell_of_a_neutral_table_is_a_formula(rows: list[list[str]]) -> None:
    import io

    made = io.StringIO()
    csv.writer(made).writerows(rows)
    again = list(csv.reader(io.StringIO(neutral_csv(made.getvalue()), newline="")))
    assert again == [[neutral_cell(cell) for cell in row] for row in rows]
    for cell in (cell for row in again for cell in row):
        try:
            assert np.isreal(float(cell))
        except ValueError:
            assert not cell.startswith(STARTS)
