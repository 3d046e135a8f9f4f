"""`deft apply`: a label patch on another copy of the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.options import Classes, Data, ImageCol, LabelCol, Labels, Quiet, Split, source_of
from deft.cli.run_folder import check_new_table

if TYPE_CHECKING:
    from deft.export.apply import Applied

SHOWN = 20  # problems that are printed; all are counted


def apply(
    patch: Annotated[
        Path, typer.Argument(metavar="PATCH", help="File that deft export --as patch wrote.", show_default=False)
    ],
    data: Data,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="TABLE", help="New .csv or .parquet file of labels.", show_default=False),
    ],
    reverse: Annotated[bool, typer.Option("--reverse", help="Take the patch back.")] = False,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    classes: Classes = None,
    split: Split = None,
    quiet: Quiet = False,
) -> None:
    """Write a table of all images of DATA with the labels of PATCH; DATA itself is never touched."""
    check_new_table(out, data)
    source = source_of(data, labels, classes, split, image_col, label_col)

    from deft.cli.progress import choose_progress
    from deft.export.apply import apply_patch, write_applied
    from deft.export.patch import Patch

    progress = choose_progress(quiet=quiet)
    changes = Patch.load(patch)
    images = source.open(progress)
    applied = apply_patch(changes.reversed() if reverse else changes, images, progress)
    write_applied(images, applied.labels, out)
    _report(applied, len(changes), out, reverse=reverse)


def _report(applied: Applied, total: int, out: Path, *, reverse: bool) -> None:
    from deft.cli.output import plain, standard_output

    console = standard_output()
    done = "taken back" if reverse else "made"
    already = f", {len(applied.already)} were there already" if applied.already else ""
    failed = f", {len(applied.problems)} could not be" if applied.problems else ""
    console.print(plain(f"{len(applied.changed)} of {total} changes {done}{already}{failed}: {out}"))
    for text in (*_some(applied.problems, "Not"), *_some(applied.notes, "Though")):
        console.print(plain(text))


def _some(texts: tuple[str, ...], word: str) -> list[str]:
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return [f"{word}: {text}" for text in [*texts[:SHOWN], *more]]
