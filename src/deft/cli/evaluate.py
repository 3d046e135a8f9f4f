"""`deft evaluate`: how well a trained classifier names images whose labels are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.limits import MaxPixels, MaxSeconds, with_limits
from deft.cli.options import (
    Classes,
    Data,
    Device,
    Format,
    ImageCol,
    LabelCol,
    Labels,
    Model,
    Quiet,
    Split,
    Workers,
    source_of,
)
from deft.cli.run_folder import check_outside, check_trained

if TYPE_CHECKING:
    from deft.adaptation.model import Evaluation

DRAWN_CLASSES = 12
"""Up to this many classes the whole confusion matrix is printed; beyond, the pairs most often confused."""
PAIRS = 10


def evaluate(
    model: Model,
    data: Data,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write everything as JSON.")] = None,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    classes: Classes = None,
    split: Split = None,
    output_format: Format = "table",
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    max_seconds: MaxSeconds = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Compare MODEL's answers with the labels of DATA: accuracy, every class, and what is taken for what."""
    if out is not None:
        check_outside(out, data)
    source = source_of(data, labels, classes, split, image_col, label_col)
    check_trained(model)

    from deft.cli.progress import choose_progress, during
    from deft.files import replace_file, strict_json

    progress = choose_progress(quiet=quiet)
    with during(progress, "Loading the model"):
        from deft.adaptation.model import AdaptedModel

        loaded = AdaptedModel.load(model, device=device)
    images = with_limits(source.open(progress), max_pixels, max_seconds)
    outcome = loaded.evaluate(images, workers=workers, progress=progress)
    if out is not None:
        with replace_file(out) as temporary:
            temporary.write_text(strict_json(outcome.summary()), encoding="utf-8")
    if output_format == "json":
        typer.echo(strict_json(outcome.summary()))
        return
    _show(outcome)


def _show(outcome: Evaluation) -> None:
    from deft.cli.output import percent, plain, standard_output, table

    console = standard_output()
    skipped = f", {outcome.unreadable} without label or unreadable" if outcome.unreadable else ""
    console.print(plain(f"Accuracy {outcome.accuracy:.1%} on {outcome.images} images{skipped}"))
    rows = [
        (row["class"], row["images"], percent(row["recall"]), percent(row["precision"]))
        for _, row in outcome.per_class.iterrows()
    ]
    console.print()
    console.print(table("By class", ["class", "images", "recall", "precision"], rows))
    console.print()
    names = list(outcome.confusion.columns)
    if len(names) <= DRAWN_CLASSES:
        cells = [(name, *row) for name, row in zip(names, outcome.confusion.to_numpy().tolist(), strict=True)]
        console.print(table("Labels (rows) and answers (columns)", ["", *names], cells))
        return
    counts = outcome.confusion.to_numpy()
    pairs = [(-counts[k, j], k, j) for k, j in zip(*counts.nonzero(), strict=True) if k != j]
    worst = [(names[k], names[j], -count) for count, k, j in sorted(pairs)[:PAIRS]]
    console.print(table("Most often confused", ["label", "answer", "images"], worst, right=2))
