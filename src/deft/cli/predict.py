"""`deft predict`: a trained classifier names images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deft.cli.bounds import MOST
from deft.cli.limits import MaxPixels, MaxSeconds, with_limits
from deft.cli.options import Device, Model, Quiet, SafeCsv, Workers
from deft.cli.own_words import in_options
from deft.cli.run_folder import check_outside, check_trained
from deft.errors import SettingsError
from deft.wording import counted

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20
ENDINGS = (".csv", ".parquet")


def predict(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Folder or archive of images, labelled or not; an image; a table or data set.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write all predictions: .csv or .parquet.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, max=MOST, help="Classes listed for each image.")] = 5,
    output_format: Annotated[
        Literal["table", "csv"], typer.Option("--format", help="The first images as a table, or all as CSV.")
    ] = "table",
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    max_seconds: MaxSeconds = None,
    device: Device = "auto",
    safe_csv: SafeCsv = False,
    quiet: Quiet = False,
) -> None:
    """Name the images of DATA with MODEL."""
    if out is not None:
        if out.suffix.lower() not in ENDINGS:
            raise SettingsError(f"{out} ends in {out.suffix or 'nothing'}; expected one of {', '.join(ENDINGS)}.")
        check_outside(out, data)
    check_trained(model)

    from deft.cli.progress import choose_progress, during

    progress = choose_progress(quiet=quiet)
    with during(progress, "Loading the model"):
        from deft.adaptation.model import AdaptedModel
        from deft.data.load import find_images

        loaded = AdaptedModel.load(model, device=device)
    images = with_limits(find_images(data, progress=progress), max_pixels, max_seconds)
    table = loaded.predict(images, top=top, workers=workers, progress=progress)
    if out is not None:
        write_predictions(table, out, safe_csv=safe_csv)
    if output_format == "csv":
        typer.echo(_csv(table, safe=safe_csv), nl=False)
        return
    _show(table, out)


def write_predictions(table: pd.DataFrame, path: Path, *, safe_csv: bool = False) -> None:
    """Write a table of predictions; in CSV, lists are written as JSON.

    Args:
        table: Table of `AdaptedModel.predict`.
        path: Ends in .csv or .parquet.
        safe_csv: Whether cells that a spreadsheet would run get an apostrophe.
    """
    from deft.files import replace_file

    with replace_file(path) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            temporary.write_text(_csv(table, safe=safe_csv), encoding="utf-8", newline="")


def _csv(table: pd.DataFrame, *, safe: bool) -> str:
    """Return a table of predictions as CSV."""
    from deft.data.safe_csv import neutral_csv

    text = str(_flat(table).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return neutral_csv(text) if safe else text


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(
        topk_labels=table["topk_labels"].map(lambda names: json.dumps(names, ensure_ascii=False)),
        topk_probs=table["topk_probs"].map(lambda probs: json.dumps([round(p, 6) for p in probs])),
    )


def _show(table: pd.DataFrame, out: Path | None) -> None:
    from deft.cli.output import plain, standard_output
    from deft.cli.output import table as drawn
    from deft.wording import printable

    console = standard_output()
    readable = table[table["read_error"].isna()]
    rows = []
    for row in readable.head(SHOWN).to_dict("records"):
        likely = list(zip(row["topk_labels"], row["topk_probs"], strict=True))
        others = ", ".join(f"{name} {prob:.2f}" for name, prob in likely[1:3])
        rows.append((row["file_name"], row["predicted_label"], others, f"{row['predicted_prob']:.3f}"))
    columns = ["file", "class", "then", "probability"]
    title = f"The first {len(rows)} of {len(table)} images" if len(rows) < len(table) else counted(len(rows), "image")
    console.print(drawn(title, columns, rows, right=3))
    counts = readable["predicted_label"].value_counts()
    console.print()
    console.print(plain("Most often: " + ", ".join(f"{name} {count}" for name, count in counts.head(10).items())))
    for reason in table["read_error"].dropna().head(3):
        console.print(plain(f"Not read: {in_options(reason)}"))
    if out is not None:
        console.print(plain(f"All {len(table)}: {printable(out)}"))
    elif len(rows) < len(table):
        console.print(plain("All of them: add -o predictions.csv"))
