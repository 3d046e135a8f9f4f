"""The table of how often each kind of error is what it is called, from benchmarks/results/kinds.json."""

from __future__ import annotations

import json
from pathlib import Path

from deft.runs.vocabulary import KIND_IN_WORDS

ABOUT = """## Kinds of error

How often `issue_kind` is what it says, with `DeFT(tiny)` as typed. Made noise: 2 000 photos of 20 classes of
Tiny-ImageNet, 15 % wrong labels, 5 % photos of other classes, 3 % copies under another label, 1 % blank. Real noise:
2 000 photos of CIFAR-10N with one person's labels. Open: 1 000 photos of Imagenette, a tenth with a wrong label, and
100 photos of cars under their labels. "There" is how many images have that error, "called" how many are said to have
it, "precision" the share of those that have it, "any error" the share that have this or another one:
nobody wrote down which images are ambiguous, so that kind has no other measure.
"""
BELOW = """The made photos of other classes are things much like those of the classes, which aren't told from hard
photos of the classes: they are found as wrong labels, or not. Photos of other things, as the cars are, are told.
"""
COMMANDS = (
    "python -m benchmarks.kinds --made DATA/tiny-imagenet-train-*.parquet --real DATA/cifar10n-train.parquet",
    "python -m benchmarks.kinds --inside PHOTOS/imagenette/val --outside PHOTOS/cars/cars_train",
)


def kinds_page(path: Path) -> list[str]:
    """Return the lines of the table; none where it wasn't measured.

    Args:
        path: Of what `python -m benchmarks.kinds` wrote.
    """
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        _row(words, noise, found[noise][kind])
        for kind, words in KIND_IN_WORDS.items()
        for noise in ("made", "open", "real")
        if noise in found
        if found[noise][kind]["called"] or found[noise][kind]["there"]
    ]
    head = ["| kind | noise | there | called | precision | any error |", "|---|---|--:|--:|--:|--:|"]
    return [
        *ABOUT.splitlines(),
        "",
        *head,
        *rows,
        "",
        *BELOW.splitlines(),
        "",
        *(f"    {command}" for command in COMMANDS),
        "",
    ]


def _row(words: str, noise: str, told: dict[str, int]) -> str:
    there = str(told["there"]) if told["there"] else "—"
    precision = _share(told["right"], told["called"]) if told["there"] else "—"
    any_error = _share(told["any_error"], told["called"])
    return f"| {words} | {noise} | {there} | {told['called']} | {precision} | {any_error} |"


def _share(some: int, of: int) -> str:
    return f"{some / of:.1%}" if of else "—"
