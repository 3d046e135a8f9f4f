"""The site builds without a warning, has every page, and loads nothing from the network."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import lowest, site_hooks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return place


def test_every_page_is_in_it(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert built - written == {
        Path(name) for name in ("404.html", "changelog.html", "contributing.html", "security.html")
    } | {Path("index.html")}
    assert written <= built


def test_the_readme_is_the_front_page(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    assert "Point it at labelled images" in front
    assert 'href="quickstart.html"' in front


def test_nothing_is_loaded_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loads = re.findall(r"<(?:link|script|img|iframe)[^>]*?(?:href|src)=[\"']?(?:https?:)?//[^>]+>", text)
        assert [one for one in loads if 'rel="canonical"' not in one] == [], page.name


@pytest.mark.parametrize("module", [lowest, site_hooks])
def test_the_examples_of_the_scripts_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0
