"""The page of methods is the methods' own docstrings, and every page says where ours differs from the authors' code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks.deviations.detecting import DETECTING
from benchmarks.deviations.formulas import FORMULAS
from benchmarks.deviations.learning import LEARNING
from benchmarks.deviations.page import deviations, listed, shown
from benchmarks.deviations.task import Task
from scripts.methods_docs import MARK, pages

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


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    splits = squares(30)
    return Task(splits.train, splits.test, splits.test, tmp_path_factory.mktemp("task"), 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FORMULAS, *LEARNING, *DETECTING])
def test_what_measures_a_difference_still_runs(task: Task, name: str) -> None:
    found = {**FORMULAS, **LEARNING, **DETECTING}[name](task)
    assert found
    assert all(np.isfinite(value).all() for value in found.values())
