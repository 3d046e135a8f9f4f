"""The page of promises names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`( \(slow\))?")


def promises() -> list[tuple[str, str, bool]]:
    """File, test, and whether it is said to be slow, of everything that the page names."""
    return [(file, test, bool(slow)) for file, test, slow in NAMED.findall(PAGE.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("file", "test", "slow"), promises())
def test_a_promise_is_kept_by_a_test_that_exists(file: str, test: str, slow: bool) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    assert not test or test in names
    assert not slow or "pytest.mark.slow" in text


def test_every_row_of_the_page_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [line for line in rows if not line.startswith("| promise")]
    assert len(rows) > 20
    assert [line for line in rows if not NAMED.search(line)] == []
