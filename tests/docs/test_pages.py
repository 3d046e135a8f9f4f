"""What every page holds to: lines that fit, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in (
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("**/*.md")),
    )
    if path.exists()
]
WIDTH = 120
LONG_LINES: set[str] = set()
"""Pages that are still to be wrapped; each goes from this list when it is."""
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_its_lines_fit(page: Path) -> None:
    if page.name in LONG_LINES:
        assert any(len(line) > WIDTH for line in _breakable(page)), f"{page.name} fits now: take it off LONG_LINES"
    else:
        assert [line for line in _breakable(page) if len(line) > WIDTH] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = {link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link}
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


def _breakable(page: Path) -> Iterator[str]:
    """The lines that can be broken: no rows of tables, and nothing that a program printed (a block of no language)."""
    block: str | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            block = line.removeprefix("```") if block is None else None
        elif block != "" and not line.startswith("|"):
            yield line
