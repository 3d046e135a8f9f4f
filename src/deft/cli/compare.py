"""`deft compare`: what changed from one run to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.options import Moved, Quiet

if TYPE_CHECKING:
    from deft.report.compare import Comparison

PAGE = "compare.html"


def compare(
    before: Annotated[Path, typer.Argument(metavar="RUN1", help="Folder of the first run.", show_default=False)],
    now: Annotated[Path, typer.Argument(metavar="RUN2", help="Folder of the second run.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The page; RUN2/compare.html if not given."),
    ] = None,
    data: Moved = None,
    quiet: Quiet = False,
) -> None:
    """Say what changed from one run to another: numbers, classes, and every image that fared otherwise, as a page."""
    from deft.cli.progress import choose_progress
    from deft.cli.run_folder import check_opens, check_outside
    from deft.errors import DataError
    from deft.files import replace_file
    from deft.report.compare import compare as compared
    from deft.report.render import render_comparison
    from deft.runs.detection import Detection
    from deft.runs.folder import open_run
    from deft.runs.source import Source

    if not before.is_dir():
        raise DataError(f"There is no run folder {before}; deft detect DATA -o RUN makes one.")
    check_opens(now, data)
    target = now / PAGE if out is None else out
    check_outside(target, Source.load(now).data if data is None else data)
    if target.is_dir():
        raise DataError(f"{target} is a folder; -o needs the name of a file.")
    first = Detection.load(before)
    second, images = open_run(now, data=data)
    names = (str(before), str(now))
    page = compared(first, second, images, names=names, progress=choose_progress(quiet=quiet))
    with replace_file(target) as temporary:
        temporary.write_text(render_comparison(page), encoding="utf-8")
    _print(page, target)


def _in_a_line(number: object) -> str:
    """Return a number of the page as a terminal has it: without the page's gaps."""
    return str(number).replace("\u00a0%", "%").replace("\u202f", "")


def _print(page: Comparison, target: Path) -> None:
    """Print the numbers on standard output."""
    from deft.cli.output import plain, standard_output, table
    from deft.wording import printable

    console = standard_output()
    for part in (page.numbers, page.classes):
        if part.rows:
            rows = [[*row[: part.words], *map(_in_a_line, row[part.words :])] for row in part.rows]
            console.print(table("", part.columns, rows, right=part.words))
            console.print()
    console.print(plain("To look at, in a browser: " + printable(target)))
