"""`deft detect`: a verdict on the label of every image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deft.cli import config as config_file
from deft.cli.bounds import number
from deft.cli.detector_options import (
    DEFAULT,
    UNLOADED,
    ClassSpecific,
    Context,
    ForRealNoise,
    ForWeakModel,
    Length,
    Method,
    Paper,
    SampleSize,
    TuningOption,
    Verdict,
    Warmup,
    advice,
    choose_detector,
    learning_options,
)
from deft.cli.launch import rank_here
from deft.cli.limits import MaxPixels, MaxSeconds, with_limits
from deft.cli.options import (
    DATA,
    OUTPUT,
    BatchSize,
    Classes,
    CleanCol,
    Config,
    Device,
    Epochs,
    Format,
    ImageCol,
    LabelCol,
    Labels,
    LearningRate,
    Limit,
    Moved,
    NoiseRate,
    Precision,
    ProcessCount,
    Quiet,
    Resume,
    SafeCsv,
    Seed,
    Set,
    Split,
    TensorBoardFolder,
    Words,
    Workers,
    option,
    refuse_given,
    source_of,
    workspace_of,
)
from deft.cli.own_words import in_options
from deft.cli.progress import choose_progress, during, logged
from deft.cli.report import REPORT, write_report
from deft.cli.run_folder import check_detector, check_model_name, check_opens, check_outside, check_run
from deft.data.safe_csv import neutralise
from deft.errors import DataError, SettingsError
from deft.runs.lock import only_writer
from deft.stages import DETECTION

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.detectors.base import Detector
    from deft.progress import Progress
    from deft.runs.detection import Detection
    from deft.runs.reviewed import ReviewedRun
    from deft.runs.source import Source
    from deft.training.workspace import Workspace

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
TOO_MANY_ISSUES = 3
OF_A_JUDGEMENT = (
    "detector",
    "workers",
    "processes",
    "device",
    "resume",
    "output_format",
    "fail_on_issues",
    "safe_csv",
    "quiet",
    "tensorboard",
)
WITH_REVIEWS = frozenset(["data", "moved", "out", "with_reviews", *OF_A_JUDGEMENT])
"""Parameters that go with `--with-reviews`; the run brings all others."""

ModelName = Annotated[
    str,
    typer.Option(
        "--model", metavar="ID|tiny|FOLDER", help="CLIP, SigLIP or SigLIP 2; tiny works offline, for trying out."
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--detector", metavar="FOLDER", help="Judge with the detector that an earlier run left; nothing is trained."
    ),
]
DataOrRun = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Folder of class folders, CSV, TSV, JSONL or Parquet table, Hugging Face data set id, s3://...; or a RUN.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Folder for the results.", show_default=False)]
WithReviews = Annotated[
    bool,
    option(DATA, "--with-reviews", help="DATA is a run: judge it again, with what was decided in deft review as true."),
]
FailOnIssues = Annotated[
    float | None,
    option(
        OUTPUT,
        "--fail-on-issues",
        metavar="RATE",
        min=0,
        max=1,
        callback=number,
        help="Exit with 3 if a larger share is flagged.",
    ),
]


@dataclass(frozen=True)
class _Job:
    """What is judged, and by what; neither images nor model are loaded yet.

    Args:
        source: Where the images come from.
        model: Name of the model.
        detector: What judges them, on no model yet; None where a kept one does.
        kept: Folder of the kept one.
        reviewed: The run that is judged again, if it is one.
        limit: How many of the images are judged; None for all.
        seed: Draws them.
    """

    source: Source
    model: str
    detector: Detector | None = None
    kept: Path | None = None
    reviewed: ReviewedRun | None = None
    limit: int | None = None
    seed: int = 0

    def images(self, progress: Progress) -> LabeledImages:
        """Find the images."""
        if self.reviewed is not None:
            return self.reviewed.reviewed.images
        with during(progress, "Finding images"):
            return _sample(self.source.open(progress), self.limit, self.seed)

    def beside(self, space: Workspace, out: Path) -> Workspace:
        """Return where to work, with what the reviewed run has decoded and encoded, which isn't done again."""
        if self.reviewed is None:
            return space

        from deft.runs.earlier import link_computed
        from deft.runs.folder import PIXELS

        if space.processes.writes:
            link_computed(self.reviewed.folder, out, PIXELS)
        return replace(space, earlier=self.reviewed.folder)

    def load(self, device: str) -> Detector:
        """Load what judges, with its model."""
        from deft.detectors.deft_trained import TrainedDeFT
        from deft.encoders.load import load_encoder

        if self.kept is not None:
            return TrainedDeFT.from_pretrained(self.kept, device=device)
        assert self.detector is not None  # either it or a kept one judges
        return replace(self.detector, encoder=load_encoder(self.model, device=device))


def detect(
    command: typer.Context,
    data: DataOrRun,
    out: Out,
    model: ModelName = DEFAULT_MODEL,
    method: Method = DEFAULT,
    detector: Kept = None,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    clean_col: CleanCol = None,
    classes: Classes = None,
    words: Words = None,
    split: Split = None,
    with_reviews: WithReviews = False,
    moved: Moved = None,
    limit: Limit = None,
    sample: SampleSize = None,
    workers: Workers = None,
    processes: ProcessCount = 1,
    max_pixels: MaxPixels = None,
    max_seconds: MaxSeconds = None,
    tuning: TuningOption = None,
    length: Length = None,
    context: Context = None,
    class_specific: ClassSpecific = False,
    epochs: Epochs = None,
    warmup: Warmup = None,
    lr: LearningRate = None,
    batch_size: BatchSize = 64,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    paper: Paper = False,
    for_real_noise: ForRealNoise = False,
    for_weak_model: ForWeakModel = False,
    verdict: Verdict = None,
    noise_rate: NoiseRate = None,
    settings: Set = None,
    tensorboard: TensorBoardFolder = None,
    resume: Resume = False,
    output_format: Format = "table",
    fail_on_issues: FailOnIssues = None,
    safe_csv: SafeCsv = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Judge the label of every image; write labels.parquet, labels.csv, summary.json and report.html into RUN."""
    given, sets = learning_options(command)
    _check_places(command, out, data, detector or model, resume=resume, with_reviews=with_reviews)
    with logged(choose_progress(quiet=quiet, stages=DETECTION), tensorboard) as progress:
        if with_reviews:
            job = _again(command, Path(data), moved, kept=detector)
        else:
            source = source_of(data, labels, classes, split, image_col, label_col, clean_col, words)
            job = _Job(source, model, kept=detector, limit=limit, seed=seed)
        images = _in_own_words(with_limits(job.images(progress), max_pixels, max_seconds))
        if job.detector is None and detector is None:
            job = replace(job, detector=_chosen(method, given, sets, model, progress))
        found = _judge(command, job, images, device, workspace_of(out, resume, workers, progress, device))
    _end(found, out, output_format, fail_on_issues)


def _check_places(
    command: typer.Context, out: Path, data: str, judge: Path | str, *, resume: bool, with_reviews: bool
) -> None:
    """Refuse what is wrong with the folders, also that of the detector or model, at once."""
    check_outside(out, data)
    check_run(out, resume=resume, recipe=config_file.recipe(command))
    check_detector(judge) if isinstance(judge, Path) else check_model_name(judge)
    if command.params["moved"] is not None and not with_reviews:
        raise SettingsError("--data belongs to --with-reviews; images to judge for the first time are DATA itself.")


def _again(command: typer.Context, run: Path, moved: str | None, *, kept: Path | None) -> _Job:
    """Return a run to be judged once more, by the detector that judged it unless a kept one does."""
    why = "--with-reviews takes data and settings from the run; {} can't be given with it."
    refuse_given(command, {str(one.name) for one in command.command.params} - WITH_REVIEWS, why)
    check_opens(run, moved)

    from deft.detectors.registry import detector_from_settings
    from deft.runs.reviewed import ReviewedRun

    opened = ReviewedRun.open(run, data=moved)
    settings = opened.found.settings
    detector = None if kept is not None else detector_from_settings(settings, UNLOADED)
    return _Job(opened.source, str(settings.get("model", "")), detector, kept, opened)


def _chosen(method: str, given: Mapping[str, Any], sets: Mapping[str, str], model: str, progress: Progress) -> Detector:
    """Return the detector that was asked for, and say what a person should know of the choice."""
    detector = choose_detector(method, given, sets)
    hint = advice(method, given, model)
    if hint is not None:
        progress.note(hint)
    return detector


def _judge(command: typer.Context, job: _Job, images: LabeledImages, device: str, space: Workspace) -> Detection:
    """Judge and write the run, last the file that repeats it; the folder is a run, and can resume, from the start."""
    out = command.params["out"]
    with during(space.progress, "Loading the model"):
        detector = job.load(device)
    if not space.processes.writes:
        return _find(detector, images, job.beside(space, out), out)
    with only_writer(out):
        _refuse_other(job.source, out)
        job.source.save(out)
        found = _find(detector, images, job.beside(space, out), out)
        found = _write(job, found, images, out, space.progress)
        if command.params["safe_csv"]:
            neutralise(out / "labels.csv")
        config_file.write(out, config_file.recipe(command))
    return found


def _refuse_other(source: Source, out: Path) -> None:
    """Refuse a finished run of other data that no command says how to repeat, such as a demo.

    Raises:
        DataError: There is one.
    """
    from deft.runs.source import RUN
    from deft.runs.source import Source as Kept
    from deft.runs.storage import TABLE

    finished = (out / TABLE).is_file() and (out / RUN).is_file() and not (out / config_file.FILE).is_file()
    if finished and Kept.load(out) != source.whole():
        raise DataError(f"{out} holds a finished run of other data. Choose another folder with -o.")


def _find(detector: Detector, images: LabeledImages, space: Workspace, out: Path) -> Detection:
    """Judge; a detector that can be used again is kept in the run folder."""
    from deft.detectors.deft import DeFT

    if not isinstance(detector, DeFT):
        return detector.detect(images, workspace=space)
    trained, found = detector.train(images, workspace=space)
    if space.processes.writes:
        trained.save_pretrained(out / "detector")
    return found


def _write(job: _Job, found: Detection, images: LabeledImages, out: Path, progress: Progress) -> Detection:
    """Write the run, with its report; what was written."""
    if job.reviewed is not None:
        found = job.reviewed.finish(found, out)
    found.save(out)
    write_report(images, found, out / REPORT, job.source.data, progress=progress)
    return found


def _end(found: Detection, out: Path, output_format: str, rate: float | None) -> None:
    """Print the summary, in one process; leave with a code of its own if a larger share is flagged."""
    if not rank_here():
        _report(found, out, output_format)
    judged = int(found.judged.sum())
    if rate is not None and int(found.is_label_issue.sum()) > rate * judged:
        raise typer.Exit(TOO_MANY_ISSUES)


def _sample(images: LabeledImages, limit: int | None, seed: int) -> LabeledImages:
    """Return a sample drawn by file name, so that the order of rows doesn't matter; all images without a limit."""
    from hashlib import blake2b

    import numpy as np

    if limit is None or limit >= len(images):
        return images
    lots = [
        blake2b(f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in images.file_name
    ]
    drawn = sorted(range(len(images)), key=lambda row: lots[row])[:limit]
    return images.keep(np.sort(np.array(drawn, np.int64)))


def _in_own_words(images: LabeledImages) -> LabeledImages:
    """Return the images with notes that speak of options, as summary and report will repeat them."""
    return replace(images, notes=tuple(map(in_options, images.notes)))


def _report(found: Detection, out: Path, output_format: str) -> None:
    """Print the summary on standard output."""
    from deft.cli.output import plain, print_summary, scores_of, standard_output
    from deft.files import strict_json
    from deft.runs.vocabulary import reviews_in_words
    from deft.wording import printable

    scores = scores_of(found)
    files = {name: str(out / name) for name in ("labels.csv", "labels.parquet", "summary.json", REPORT)}
    if output_format == "json":
        extra = {} if scores is None else {"scores": asdict(scores)}
        typer.echo(strict_json({**found.summary(), **extra, "files": files}))
        return
    console = standard_output()
    print_summary(console, found, scores)
    console.print()
    console.print(plain("To look at, in a browser: " + printable(files[REPORT])))
    console.print(plain("Every image with its verdict: " + printable(files["labels.csv"])))
    if found.is_label_issue.any():
        console.print(plain(f"Next, decide about the suspects by keyboard: deft review {printable(out)}"))
    kept = ", detector/ (for new images: deft detect NEW -o RUN2 --detector ...)" if (out / "detector").is_dir() else ""
    console.print(plain(f"Also written: labels.parquet, summary.json{kept}"))
    reviews = found.info.get("reviews")
    if reviews is not None:
        console.print(plain(f"With reviews: {reviews_in_words(reviews)}. See what changed: deft review {out}"))
