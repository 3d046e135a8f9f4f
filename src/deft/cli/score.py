"""`deft score`: a detector over data of any size, in parts, on this machine or on many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deft.cli.bounds import MOST_ROWS
from deft.cli.detect import DEFAULT_MODEL
from deft.cli.limits import MaxPixels, MaxSeconds, with_limits
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
    Seed,
    Split,
    Words,
    Workers,
    option,
    source_of,
)
from deft.cli.run_folder import check_detector, check_model_name, check_outside
from deft.errors import SettingsError
from deft.wording import counted, printable

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.engines.ray_data import RayEngine
    from deft.progress import Progress

EngineName = Literal["local", "ray"]
MethodName = Literal["label-match"]

Kept = Annotated[
    Path | None, typer.Option("--detector", metavar="FOLDER", help="What deft detect left as RUN/detector.")
]
Method = Annotated[MethodName | None, typer.Option("--method", help="Instead of a detector: what needs no training.")]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        min=2,
        max=MOST_ROWS,
        help="Instead of a detector: learn one from this many images, drawn class by class, into OUTPUT/detector.",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="ID|tiny|FOLDER", help=f"Model of --method or --sample; {DEFAULT_MODEL} if not given."
    ),
]
Engine = Annotated[EngineName, option(TRAINING, "--engine", help="In this process, or on a Ray cluster (extra: ray).")]
Actors = Annotated[
    int | None,
    option(TRAINING, "--actors", metavar="N", min=1, max=100_000, help="Processes of the Ray engine; one per core."),
]
PartSize = Annotated[
    int, option(DATA, "--part-size", metavar="N", min=1, max=MOST_ROWS, help="Images scored at a time.")
]


def score(
    data: Data,
    out: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder for the verdicts.", show_default=False)],
    detector: Kept = None,
    method: Method = None,
    sample: Sample = None,
    model: ModelName = None,
    engine: Engine = "local",
    actors: Actors = None,
    part_size: PartSize = 4096,
    seed: Seed = 0,
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
    """Judge any number of labels, in parts; the same command goes on where it was stopped."""
    _check_judge(detector, method, sample, model)
    check_outside(out, data)
    if actors is not None and engine != "ray":
        raise SettingsError("--actors goes with --engine ray.")
    source = source_of(data, labels, classes, split, image_col, label_col, None, words)

    from deft.cli.progress import choose_progress
    from deft.engines.judges import LabelMatching
    from deft.engines.score import score as run

    with choose_progress(quiet=quiet) as progress:
        if sample is not None:
            learning = _Learning(model or DEFAULT_MODEL, sample, seed, device)
            detector = learning.learned(
                lambda: with_limits(source.open(progress), max_pixels, max_seconds), out, workers, progress
            )
        found = run(
            source,
            out,
            LabelMatching(model or DEFAULT_MODEL) if detector is None else detector,
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


@dataclass(frozen=True)
class _Learning:
    """How a detector learns from a sample of the data."""

    model: str
    images: int
    seed: int
    device: str

    def learned(self, images: Callable[[], LabeledImages], out: Path, workers: int | None, progress: Progress) -> Path:
        """Return the folder of the detector, which learns unless it has."""
        from deft.detectors.deft import DeFT
        from deft.detectors.stratified import Stratified
        from deft.encoders.load import load_encoder
        from deft.engines.sampled import learned_from_sample
        from deft.training.workspace import Workspace

        encoder = load_encoder(self.model, device=self.device)
        detector = DeFT(encoder, seed=self.seed, learn_from=Stratified(self.images))
        return learned_from_sample(detector, images, out, Workspace(workers=workers, progress=progress))


def _check_judge(detector: Path | None, method: str | None, sample: int | None, model: str | None) -> None:
    """Refuse what is no judge, or two of them, at once.

    Raises:
        SettingsError: There is none, or there are two.
        ModelError: Its folder isn't there.
    """
    if sum(one is not None for one in (detector, method, sample)) != 1:
        raise SettingsError(
            "Say what judges: --detector FOLDER, --sample N, which learns one, or --method label-match, which needs no "
            "training."
        )
    if detector is not None:
        if model is not None:
            raise SettingsError("--model goes with --method and --sample; a detector brings its own.")
        check_detector(detector)
    elif model is not None:
        check_model_name(model)


def _ray(actors: int | None) -> RayEngine:
    from deft.engines.ray_data import RayEngine

    return RayEngine(actors)
