"""The page of methods is the methods' own docstrings."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "methods_docs.py"))["page"]()
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == page, "run: python scripts/methods_docs.py"
