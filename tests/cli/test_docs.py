"""The page of commands is the commands' own help."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))["page"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page, "run: python scripts/cli_docs.py"
