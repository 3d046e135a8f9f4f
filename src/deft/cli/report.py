"""`deft report`: a run as one page to read and to send around."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.bounds import MOST
from deft.cli.options import Moved, Quiet, Run
from deft.report import LIMIT

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.progress import Progress
    from deft.runs.detection import Detection
    from deft.runs.review_summary import ReviewSummary

REPORT = "report.html"


def report(
    run: Run,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The page; RUN/report.html if not given."),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, max=MOST, help="Suspects that are shown at the most.")
    ] = LIMIT,
    data: Moved = None,
    quiet: Quiet = False,
) -> None:
    """Write a run as one HTML page that needs no network: suspects, classes, confusions, and how far to look."""
    from deft.cli.progress import choose_progress
    from deft.cli.run_folder import check_opens, check_outside
    from deft.errors import DataError
    from deft.runs.audit import Audit
    from deft.runs.decisions import read_decisions
    from deft.runs.folder import open_run
    from deft.runs.review_summary import summarize_reviews
    from deft.runs.source import Source
    from deft.wording import printable

    check_opens(run, data)
    source = Source.load(run).data if data is None else data
    target = run / REPORT if out is None else out
    check_outside(target, source)
    if target.is_dir():
        raise DataError(f"{target} is a folder; -o needs the name of a file.")
    found, images = open_run(run, data=data)
    reviews = summarize_reviews(found, read_decisions(run), Audit.load(run))
    write_report(images, found, target, source, limit=limit, reviews=reviews, progress=choose_progress(quiet=quiet))
    typer.echo(printable(target))


def write_report(
    images: LabeledImages,
    found: Detection,
    target: Path,
    source: str,
    *,
    limit: int = LIMIT,
    reviews: ReviewSummary | None = None,
    progress: Progress,
) -> None:
    """Write the page under the name that people know the data by."""
    from deft.report.build import build_report

    name = Path(source).name or source
    seen = images if found.images is None else found.images  # these know black and white of deep pictures
    build_report(seen, found, limit=limit, name=name, reviews=reviews, progress=progress).write(target)
