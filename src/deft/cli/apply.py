"""`deft apply`: a label patch on another copy of the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.run_folder import check_outside
from deft.errors import DataError, SettingsError

if TYPE_CHECKING:
    from deft.export.apply import Applied

SHOWN = 20  # problems that are printed; all are counted


def apply(
    patch: Annotated[
        Path, typer.Argument(metavar="PATCH", help="File that deft export --as patch wrote.", show_default=False)
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Images with labels, as for detect.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="TABLE", help="New .csv or .parquet file of labels.", show_default=False),
    ],
    reverse: Annotated[bool, typer.Option("--reverse", help="Take the patch back.")] = False,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Table of labels for a folder.")] = None,
    image_col: Annotated[str | None, typer.Option(help="Column with images or paths.")] = None,
    label_col: Annotated[str | None, typer.Option(help="Column with the labels.")] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Class names, one a line, for integer labels.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write a table of all images of DATA with the labels of PATCH; DATA itself is never touched."""
    _check(out, data)

    from deft.cli.progress import choose_progress
    from deft.data.load import load_images
    from deft.export.apply import apply_patch, write_applied
    from deft.export.patch import Patch

    progress = choose_progress(quiet=quiet)
    changes = Patch.load(patch)
    images = load_images(
        data,
        labels=labels,
        classes=classes,
        split=split,
        image_column=image_col,
        label_column=label_col,
        progress=progress,
    )
    applied = apply_patch(changes.reversed() if reverse else changes, images, progress)
    write_applied(images, applied.labels, out)
    _report(applied, len(changes), out, reverse=reverse)


def _check(out: Path, data: str) -> None:
    check_outside(out, data)
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise SettingsError(f"{out} must end in .csv or .parquet.")
    if out.exists():
        raise DataError(f"{out} is there already. Delete it or choose another name with -o.")


def _report(applied: Applied, total: int, out: Path, *, reverse: bool) -> None:
    from rich.console import Console

    from deft.cli.output import plain

    console = Console(soft_wrap=True)
    done = "taken back" if reverse else "made"
    already = f", {len(applied.already)} were there already" if applied.already else ""
    failed = f", {len(applied.problems)} could not be" if applied.problems else ""
    console.print(plain(f"{len(applied.changed)} of {total} changes {done}{already}{failed}: {out}"))
    for text in (*_some(applied.problems, "Not"), *_some(applied.notes, "Though")):
        console.print(plain(text))


def _some(texts: tuple[str, ...], word: str) -> list[str]:
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return [f"{word}: {text}" for text in [*texts[:SHOWN], *more]]
