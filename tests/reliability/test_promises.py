"""The page of promises names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`( \(slow\))?")
SLOW = "pytest.mark.slow"


def promises() -> list[tuple[str, str, bool]]:
    """File, test, and whether it is said to be slow, of everything that the page names."""
    return [(file, test, bool(slow)) for file, test, slow in NAMED.findall(PAGE.read_text(encoding="utf-8"))]


def is_slow(module: ast.Module) -> bool:
    """Whether all tests of a module are."""
    marked = (
        node for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    )
    return any(SLOW in ast.unparse(node.value) for node in marked)


@pytest.mark.parametrize(("file", "test", "slow"), promises())
def test_a_promise_is_kept_by_a_test_that_exists(file: str, test: str, slow: bool) -> None:
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    assert test.startswith("test_"), "name the test, not only its file"
    assert test in found
    assert slow == (is_slow(module) or SLOW in map(ast.unparse, found[test].decorator_list))


def test_every_row_of_the_page_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [line for line in rows if not line.startswith("| promise")]
    assert len(rows) > 20
    assert [line for line in rows if not NAMED.search(line)] == []
