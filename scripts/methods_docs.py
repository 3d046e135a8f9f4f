"""Writes docs/methods.md from the methods' own docstrings, defaults and citations; a test fails when it is stale.

python scripts/methods_docs.py
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import fill

from deft.methods.base import Method
from deft.methods.registry import METHODS, method_class

PAGE = Path(__file__).parent.parent / "docs" / "methods.md"
WIDTH = 120
HEAD = """\
# Methods that learn from noisy labels

Made from the methods' own docstrings by `python scripts/methods_docs.py`. Each is a frozen value that goes into
`deft.adapt(backbone, images, method=...)`, or a name for `deft adapt --method`; all run through one loop
(`deft.fit`), with every tuning and every backbone. None of them ever sees true labels; only those that say so read
a stated noise rate. How they compare on real photos: [benchmarks](benchmarks.md).

Where a method differs from its authors' code, its section says so. What differs in all of them from how the authors
of DeFT ran theirs:

- Weights are float32 in every number format. Their code keeps them in float16 without a copy: a weight of 0.02 there
  stays as it is unless a step is larger than 7.6e-06 (`numpy.spacing(numpy.float16(0.02)) / 2`).
- Pixels are what the model was made for: its own mean, deviation and filter, the shorter side resized and the centre
  cut out, so that a photo of 3:2 loses a third of its width. Theirs take CIFAR's own statistics for CIFAR, ImageNet's
  for CUB and WebVision, and squash photos to 256 by 256 before a random crop.
- The random view shifts by up to an eighth of the side, padded by reflection, and mirrors half of the images; with a
  frozen stem, two views of each image are kept and drawn from.
- Nothing is chosen by the test set. `deft bench` reports its best epoch beside the last, as their tables do.
- Labels that a detection found wrong are left out of the batches (`--fix drop`) or stay in them without a loss, as in
  their code (`--fix mask`, which `deft bench` takes): at 60 % left out, the first takes 2.5 times fewer steps.
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for name in METHODS:
        parts += _section(name, method_class(name))
    return "\n".join(parts)


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
    PAGE.write_text(page(), encoding="utf-8")
