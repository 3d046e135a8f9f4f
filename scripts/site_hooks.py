"""Puts the pages of the root into the site that `make docs` builds: the README in front, and what it links to.

mkdocs calls `on_files` (see `hooks` in mkdocs.yml).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CITATION.cff": "CITATION.cff",
    "examples/clean_and_train.ipynb": "examples/clean_and_train.ipynb",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root, with their links as they are within the site."""
    for source, place in PAGES.items():
        text = moved((ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, place, content=text))
    return files


def moved(text: str) -> str:
    """Return a page of the root with links that start from docs/, where the site has it.

    Example:
        >>> moved("[a](docs/a.md#b), [c](CHANGELOG.md), [d](https://d.org)")
        '[a](a.md#b), [c](changelog.md), [d](https://d.org)'
    """

    def target(match: re.Match[str]) -> str:
        path = match.group(1)
        return f"]({PAGES.get(path, path.removeprefix('docs/'))}{match.group(2)})"

    return re.sub(r"\]\(([^)#\s]+)((?:#[^)]*)?)\)", target, text)
