"""Writes docs/methods.md from the methods' own docstrings, defaults and citations; a test fails when it is stale.

python -m scripts.methods_docs

It also puts the differences from the authors' code onto the pages of the detectors, which are written by hand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import fill

from benchmarks.deviations.page import TITLE, deviations, listed, made_by, read_results

from deft.methods.base import Method
from deft.methods.registry import METHODS, method_class

DOCS = Path(__file__).parent.parent / "docs"
BY_HAND = ("detectors.md", "deft.md")
WIDTH = 120
HEAD = """\
# Methods that learn from noisy labels

Made from the methods' own docstrings by `python -m scripts.methods_docs`. Each is a frozen value that goes into
`deft.adapt(backbone, images, method=...)`, or a name for `deft adapt --method`; all run through one loop
(`deft.fit`), with every tuning and every backbone. None of them ever sees true labels; only those that say so read
a stated noise rate. How they compare on real photos: [benchmarks](benchmarks.md).

## Where all of them differ from the authors' code

Each method's section says where it differs by itself; this is what differs in all of them from how the authors of DeFT
ran theirs.

{task}

{all}
"""
TASK = """\
Percentages are accuracies after ten epochs of a linear head on what `tiny` sees in 2,000 photos of CIFAR-10, 40 % of
whose labels are wrong at random, on 2,000 others: means and standard deviations over three seeds, of noise and of
training (`python -m benchmarks.deviations --data DATA --photos PHOTOS`). Of two numbers
against each other the first is theirs. They show how much a difference matters there and no more: one within two
standard deviations was not seen to matter."""
MARK = re.compile(r"<!-- differs: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
"""Where a page that is written by hand takes a detector's differences from its authors' code."""


def pages() -> dict[Path, str]:
    """The pages' texts, by their places."""
    differs = deviations()
    found = {DOCS / "methods.md": page(differs)}
    for name in BY_HAND:
        text = (DOCS / name).read_text(encoding="utf-8")
        found[DOCS / name] = MARK.sub(lambda mark: _marked(mark[1], differs), text)
    return found


def page(differs: Mapping[str, Sequence[str]]) -> str:
    """The text of the methods' page."""
    task = f"{TASK}\n{fill(made_by(read_results()), WIDTH)}"
    parts = [HEAD.format(task=task, all="\n".join(listed(differs["all"])))]
    for name in METHODS:
        parts += [*_section(name, method_class(name)), f"### {TITLE}", "", *listed(differs[name]), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _marked(name: str, differs: Mapping[str, Sequence[str]]) -> str:
    return "\n".join([f"<!-- differs: {name} -->", "", *listed(differs[name]), "", "<!-- end -->"])


def _section(name: str, kind: type[Method]) -> list[str]:
    text, _, arguments = inspect.cleandoc(kind.__doc__ or "").partition("Args:")
    text = text.partition("Example:")[0]
    lines = [
        f"## {kind.__name__} (`{name}`)",
        "",
        text.strip(),
        "",
        fill(f"*{kind.citation}*", WIDTH, break_on_hyphens=False),
        "",
    ]
    meanings = _meanings(arguments.partition("Example:")[0])
    rows = []
    for field in fields(kind):  # type: ignore[arg-type]
        default = "" if field.default is MISSING else f"`{field.default!r}`"
        rows.append(f"| `{field.name}` | {default} | {meanings.get(field.name, '')} |")
    if rows:
        lines += ["| setting | default | meaning |", "|---|---|---|", *rows, ""]
    presets = [
        fill(
            f"- `{kind.__name__}.{preset}()`: {(inspect.getdoc(function) or '').splitlines()[0]}",
            WIDTH,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for preset, function in inspect.getmembers(kind, inspect.ismethod)
        if not preset.startswith("_")
    ]
    return [*lines, *presets, ""] if presets else lines


def _meanings(arguments: str) -> dict[str, str]:
    """Setting to its meaning, from the Args section of a docstring."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(arguments).splitlines():
        if line and not line.startswith(" ") and ": " in line:
            name, _, meaning = line.partition(": ")
            found[name] = meaning
        elif name and line.strip():
            found[name] += " " + line.strip()
    return {key: value.replace("|", "/") for key, value in found.items()}


if __name__ == "__main__":
    for place, text in pages().items():
        place.write_text(text, encoding="utf-8")
