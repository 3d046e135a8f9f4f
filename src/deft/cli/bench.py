"""`deft bench`: the paper's tables, and what it is compared with, by one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from deft.cli.bounds import MOST
from deft.cli.options import DATA, OUTPUT, TRAINING, Device, Quiet, option

LIST = "list"
ScaleName = Literal["paper", "small", "smoke"]

TableName = Annotated[
    str,
    typer.Argument(metavar="TABLE|list", help="A table, or list for all that there are.", show_default=False),
]
ScaleOption = Annotated[
    ScaleName,
    option(
        TRAINING,
        "--scale",
        help="paper: its full setting, for a GPU. small: the bundled model, overnight on two cores. smoke: seconds.",
    ),
]
Seeds = Annotated[
    int, option(TRAINING, "--seeds", metavar="N", min=1, max=MOST, help="Runs of each experiment, seeds from 0.")
]
Only = Annotated[str | None, option(TRAINING, "--only", metavar="ROW", help="Only this row of the table.")]
DataFolder = Annotated[
    Path | None, option(DATA, "--data", metavar="FOLDER", help="Folder that holds the data sets, or is one.")
]
Results = Annotated[
    Path, option(OUTPUT, "-o", "--out", metavar="RESULTS", help="Folder for the results; what is there is kept.")
]


def bench(
    table: TableName,
    scale: ScaleOption = "small",
    seeds: Seeds = 3,
    only: Only = None,
    data: DataFolder = None,
    out: Results = Path("bench-results"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Run the experiments of a table of the paper, and print it beside the paper's numbers."""
    from deft.bench.experiment import Library

    library = Library()
    if table == LIST:
        _list(library.names)
        return
    chosen = library.table(table)
    from deft.bench.harness import Bench
    from deft.bench.results import read_results
    from deft.bench.tables import table_text
    from deft.cli.progress import choose_progress

    run = Bench(out, data, device, choose_progress(quiet=quiet))
    run.run(chosen, scale, seeds=seeds, only=only)
    typer.echo(table_text(chosen, scale, read_results(out, table, scale)))


def _list(names: tuple[str, ...]) -> None:
    """Print every table with its rows."""
    from deft.bench.experiment import SCALES, Library

    for name in names:
        table = Library().table(name)
        typer.echo(f"{name}: {table.head['title']}")
        typer.echo(f"  rows: {', '.join(table.rows)}")
        for scale in SCALES:
            columns = [column.name for column in table.columns(scale)]
            more = f" and {len(columns) - 6} more" if len(columns) > 6 else ""
            typer.echo(f"  {scale}: {', '.join(columns[:6])}{more}")
