"""From a page's values to HTML. All text is escaped: names, paths and settings come from strangers."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined

from deft.report.compare import Comparison
from deft.report.page import Page
from deft.report.plots import HEIGHT, WIDTH
from deft.report.words import count


def render(page: Page) -> str:
    """Return the page as one self-contained document, which may neither load nor send anything.

    Args:
        page: All that stands on it.
    """
    templates = _templates()
    script = templates.get_template("copy.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.get_template("report.html").render(
        page=page, script=script, script_hash=f"sha256-{digest}", width=WIDTH, height=HEIGHT
    )


def render_comparison(page: Comparison) -> str:
    """Return a comparison as one self-contained document, which may neither load nor send anything.

    Args:
        page: All that stands on it.
    """
    return _templates().get_template("compare.html").render(page=page)


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("deft.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["thousands"] = count
    return templates
