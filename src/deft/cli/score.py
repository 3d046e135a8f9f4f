"""`deft score`: a trained detector over data of any size, in parts, on this machine or on many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deft.cli.bounds import MOST_ROWS
from deft.cli.limits import MaxPixels, MaxSeconds
from deft.cli.options import (
    DATA,
    TRAINING,
    Classes,
    Data,
    Device,
    ImageCol,
    LabelCol,
    Labels,
    Quiet,
    Split,
    Words,
    Workers,
    option,
    source_of,
)
from deft.cli.run_folder import check_detector, check_outside
from deft.errors import SettingsError
from deft.wording import counted, printable

if TYPE_CHECKING:
    from deft.engines.ray_data import RayEngine

EngineName = Literal["local", "ray"]


def score(
    data: Data,
    out: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder for the verdicts.", show_default=False)],
    detector: Annotated[
        Path, typer.Option("--detector", metavar="FOLDER", help="What deft detect left as RUN/detector.")
    ],
    engine: Annotated[
        EngineName, option(TRAINING, "--engine", help="In this process, or on a Ray cluster (extra: ray).")
    ] = "local",
    actors: Annotated[
        int | None,
        option(
            TRAINING, "--actors", metavar="N", min=1, max=100_000, help="Processes of the Ray engine; one per core."
        ),
    ] = None,
    part_size: Annotated[
        int, option(DATA, "--part-size", metavar="N", min=1, max=MOST_ROWS, help="Images scored at a time.")
    ] = 4096,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    classes: Classes = None,
    words: Words = None,
    split: Split = None,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    max_seconds: MaxSeconds = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Judge any number of labels with a trained detector, in parts; the same command goes on where it was stopped."""
    check_detector(detector)
    check_outside(out, data)
    if actors is not None and engine != "ray":
        raise SettingsError("--actors goes with --engine ray.")
    source = source_of(data, labels, classes, split, image_col, label_col, None, words)

    from deft.cli.progress import choose_progress
    from deft.engines.score import score as run

    with choose_progress(quiet=quiet) as progress:
        found = run(
            source,
            out,
            detector,
            engine=_ray(actors) if engine == "ray" else None,
            part_size=part_size,
            device=device,
            workers=workers,
            max_pixels=max_pixels,
            max_seconds=max_seconds,
            progress=progress,
        )
    there = f"; {counted(found.found, 'part was', 'parts were')} there already" if found.found else ""
    typer.echo(
        f"{counted(found.images, 'image')}: {counted(found.flagged, 'label')} flagged, "
        f"{found.images - found.judged} not read or without a label; {counted(found.parts, 'part')}{there}."
    )
    typer.echo(f"Verdicts: {printable(out)}/parts/*.parquet")


def _ray(actors: int | None) -> RayEngine:
    from deft.engines.ray_data import RayEngine

    return RayEngine(actors)
