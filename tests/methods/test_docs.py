"""The page of methods is the methods' own docstrings, and every page says where ours differs from the authors' code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks.deviations.__main__ import MEASURES, due, measure, sources
from benchmarks.deviations.page import Measured, deviations, listed, made_by, read_results, shown, write_results
from benchmarks.deviations.task import Task
from scripts.methods_docs import MARK, pages

from deft.bench.results import Code
from deft.bench.sources import squares
from deft.detectors.registry import DETECTORS
from deft.methods.registry import METHODS


def test_the_pages_are_fresh() -> None:
    for place, text in pages().items():
        assert place.read_text(encoding="utf-8") == text, "run: python -m scripts.methods_docs"


def test_every_method_and_detector_says_where_it_differs() -> None:
    assert set(deviations()) == {"all", *METHODS, *DETECTORS}
    docs = Path(__file__).parents[2] / "docs"
    marked = [name for page in ("detectors.md", "deft.md") for name in MARK.findall((docs / page).read_text("utf-8"))]
    assert sorted(marked) == sorted(DETECTORS)


@pytest.mark.parametrize("name", ["all", *METHODS, *DETECTORS])
def test_what_differs_comes_with_a_number(name: str) -> None:
    assert any(re.search(r"\d", text) for text in deviations()[name])


def test_numbers_are_shown_as_shares_of_seeds_or_as_they_are() -> None:
    assert shown([0.7, 0.71, 0.72]) == "71.0 ± 1.0"
    assert [shown(7.629e-06), shown(38.0), shown(1906.0)] == ["7.63e-06", "38", "1,906"]
    assert listed([]) == ["None known."]


def made(code: str, commit: str) -> Measured:
    machine = {"cores": 2, "python": "3.12.1", "system": "Linux"}
    return Measured(
        {"ours": 1.0}, {"code": code, "commit": commit, "machine": machine, "versions": {"torch": "2.11.0"}}
    )


def test_the_page_says_which_code_made_the_numbers() -> None:
    one, other = made("aaaa", "1111"), made("bbbb", "2222")
    place = "with one thread of a machine with 2 cores (Python 3.12.1, torch 2.11.0)"
    assert made_by({"x": one, "y": one}) == f"Made by code aaaa (commit 1111), {place}."
    assert made_by({"x": one, "y": one, "z": other}) == (
        f"Made by code aaaa (commit 1111), {place}; z by bbbb (commit 2222)."
    )


def test_one_measure_anew_leaves_the_others_and_what_is_measured_no_longer_goes(tmp_path: Path, task: Task) -> None:
    place = tmp_path / "deviations.json"
    write_results(place, {name: made("aaaa", "1111") for name in ("all-padding", "elr-clip", "gone")})
    measure(task, "elr-clip", place)
    found = read_results(place)
    assert set(found) == {"all-padding", "elr-clip"}
    assert found["all-padding"] == made("aaaa", "1111")
    assert found["elr-clip"].numbers == {"clip": 1.0}
    assert found["elr-clip"].made["code"] != "aaaa"


def test_what_this_code_has_measured_stays_and_what_none_has_comes_first() -> None:
    code = Code()
    now = Measured({"ours": 1.0}, {**made("", "").made, "code": code.version, "measures": sources()})
    old = made("aaaa", "1111")
    assert due({}, "", code) == list(MEASURES)
    assert due(dict.fromkeys(MEASURES, now), "", code) == []
    assert due({"elr-clip": old, "all-padding": now}, "elr", code) == [
        *(name for name in MEASURES if name.startswith("elr") and name != "elr-clip"),
        "elr-clip",
    ]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    splits = squares(30)
    return Task(splits.train, splits.test, splits.test, tmp_path_factory.mktemp("task"), 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_what_measures_a_difference_still_runs(task: Task, name: str) -> None:
    found = MEASURES[name](task)
    assert found
    assert all(np.isfinite(value).all() for value in found.values())
