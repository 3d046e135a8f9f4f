"""Reads docstrings of the Google style, for the scripts that make pages of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")
_HEAD = re.compile(rf"^({'|'.join(SECTIONS)}):$")
_ITEM = re.compile(r"^([A-Za-z_*][\w*., ]*): +(\S.*)$")


@dataclass(frozen=True)
class Docstring:
    """A docstring in its parts.

    Args:
        summary: Its first paragraph.
        text: The paragraphs that follow, up to the first section.
        items: For the sections of named things (Args, Attributes, Raises), name to meaning.
        sections: The text of the other sections (Returns, Yields, Example).
    """

    summary: str
    text: str
    items: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)


def parse(thing: object) -> Docstring:
    """Return the docstring of a thing, its own or an inherited one, in its parts."""
    bodies: dict[str, list[str]] = {"": []}
    section = ""
    for line in (inspect.getdoc(thing) or "").splitlines():
        head = _HEAD.match(line)
        if head:
            section = head.group(1)
            bodies[section] = []
        else:
            bodies[section].append(line)
    summary, _, text = "\n".join(bodies.pop("")).strip().partition("\n\n")
    named = {name: _items(lines) for name, lines in bodies.items() if name in ("Args", "Attributes", "Raises")}
    others = {name: inspect.cleandoc("\n".join(["", *lines])) for name, lines in bodies.items() if name not in named}
    return Docstring(summary.replace("\n", " "), text.strip(), named, others)


def _items(lines: list[str]) -> dict[str, str]:
    """Name to meaning; what goes on is indented further."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc("\n".join(["", *lines])).splitlines():
        item = _ITEM.match(line)
        if item:
            name = item.group(1)
            found[name] = item.group(2)
        elif line.strip():
            found[name] += " " + line.strip()
    return found
