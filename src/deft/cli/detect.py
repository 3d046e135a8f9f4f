"""`deft detect`: a verdict on the label of every image."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deft.cli.detector_options import (
    Choice,
    MethodName,
    PrecisionName,
    TuningName,
    VerdictName,
    advice,
    build_detector,
    build_tuning,
)
from deft.cli.report import REPORT, write_report
from deft.cli.run_folder import check_outside, check_run
from deft.cli.with_reviews import open_again
from deft.errors import SettingsError

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.detectors.base import Detector
    from deft.metrics import DetectionScores
    from deft.runs.detection import Detection
    from deft.training.workspace import Workspace

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
TOO_MANY_ISSUES = 3
DATA, TRAINING, OUTPUT = "What is read", "How it learns", "What comes out"


def detect(
    context_of_command: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Folder of class folders, CSV, TSV, JSONL or Parquet table, Hugging Face data set id; or a RUN.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="RUN", help="Folder for the results.", show_default=False)
    ],
    model: Annotated[
        str,
        typer.Option(metavar="ID|tiny|FOLDER", help="CLIP, SigLIP or SigLIP 2; tiny works offline, for trying out."),
    ] = DEFAULT_MODEL,
    method: Annotated[MethodName, typer.Option(help="How wrong labels are found.")] = "deft",
    detector: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Judge with the detector that an earlier run left; nothing is trained."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table of labels for a folder.", rich_help_panel=DATA),
    ] = None,
    image_col: Annotated[str | None, typer.Option(help="Column with images or paths.", rich_help_panel=DATA)] = None,
    label_col: Annotated[str | None, typer.Option(help="Column with the given labels.", rich_help_panel=DATA)] = None,
    clean_col: Annotated[
        str | None, typer.Option(help="Column with true labels, for scoring only.", rich_help_panel=DATA)
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Class names, one a line, for integer labels.", rich_help_panel=DATA),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.", rich_help_panel=DATA)] = None,
    with_reviews: Annotated[
        bool,
        typer.Option(
            "--with-reviews",
            help="DATA is a run: judge it again as before, with what was decided in deft review as true.",
            rich_help_panel=DATA,
        ),
    ] = False,
    moved: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="With --with-reviews: where the images are now, if they were moved.",
            rich_help_panel=DATA,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Only this many images, drawn by the seed.", rich_help_panel=DATA),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode images; one per core if not given.", rich_help_panel=DATA),
    ] = None,
    tuning: Annotated[
        TuningName | None,
        typer.Option(help="What of the image tower learns; vpt if not given.", rich_help_panel=TRAINING),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="Prompt tokens of vpt and vpt-shallow; 20 if not given.", rich_help_panel=TRAINING),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(min=1, help="Learned context vectors per text prompt; 16 if not given.", rich_help_panel=TRAINING),
    ] = None,
    class_specific: Annotated[
        bool,
        typer.Option(
            "--class-specific", help="Context vectors of their own for every class.", rich_help_panel=TRAINING
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times that each image is seen; 10 if not given.", rich_help_panel=TRAINING),
    ] = None,
    warmup: Annotated[
        int | None,
        typer.Option(
            min=0, help="Epochs that believe every label; 1 if not given, 5 for real noise.", rich_help_panel=TRAINING
        ),
    ] = None,
    lr: Annotated[
        float | None, typer.Option("--lr", help="Learning rate; 0.03 if not given.", rich_help_panel=TRAINING)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.", rich_help_panel=TRAINING)] = 64,
    seed: Annotated[
        int, typer.Option(min=0, help="Same seed, same machine, same verdicts.", rich_help_panel=TRAINING)
    ] = 0,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where it runs.", rich_help_panel=TRAINING)
    ] = "auto",
    precision: Annotated[
        PrecisionName, typer.Option(help="Number format of the activations.", rich_help_panel=TRAINING)
    ] = "auto",
    for_real_noise: Annotated[
        bool,
        typer.Option(
            "--for-real-noise", help="The authors' settings for labels by people or the web.", rich_help_panel=TRAINING
        ),
    ] = False,
    for_weak_model: Annotated[
        bool,
        typer.Option(
            "--for-weak-model", help="For a model that hardly knows the classes, as tiny.", rich_help_panel=TRAINING
        ),
    ] = False,
    verdict: Annotated[
        VerdictName | None,
        typer.Option(
            help="negative: the paper's, by the negative prompt. posterior: by all prompts and estimated confusions; "
            "that of --for-weak-model.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    noise_rate: Annotated[
        float | None,
        typer.Option(help="Share of wrong labels, for small-loss; estimated if not given.", rich_help_panel=TRAINING),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.", rich_help_panel=OUTPUT)
    ] = False,
    output_format: Annotated[
        Literal["table", "json"], typer.Option("--format", help="Form of the summary.", rich_help_panel=OUTPUT)
    ] = "table",
    fail_on_issues: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="RATE",
            help="Exit with 3 if a larger share is flagged.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Judge the label of every image; write labels.parquet, labels.csv, summary.json and report.html into RUN."""
    choice = Choice(
        method=method,
        tuning=tuning,
        length=length,
        context=context,
        class_specific=class_specific,
        epochs=epochs,
        warmup=warmup,
        learning_rate=lr,
        batch_size=batch_size,
        seed=seed,
        precision=precision,
        for_real_noise=for_real_noise,
        for_weak_model=for_weak_model,
        verdict=verdict,
        noise_rate=noise_rate,
    )
    choice.check()
    check_outside(out, data)
    check_run(out, resume=resume)
    if fail_on_issues is not None and not 0 <= fail_on_issues <= 1:
        raise SettingsError(f"--fail-on-issues must lie in 0..1, not {fail_on_issues}.")
    if moved is not None and not with_reviews:
        raise SettingsError("--data belongs to --with-reviews; images to judge for the first time are DATA itself.")

    from deft.cli.progress import choose_progress
    from deft.encoders.load import load_encoder
    from deft.runs.folder import Source
    from deft.training.workspace import Workspace

    progress = choose_progress(quiet=quiet)
    build_tuning(choice)  # says what is wrong with it before anything is read
    again = open_again(Path(data), moved, context_of_command) if with_reviews else None
    if again is not None:
        source, images = again.source, again.images
    else:
        source = Source(data, _text(labels), _text(classes), split, image_col, label_col, clean_col)
        images = _sample(source.open(progress), limit, seed)
    space = Workspace(out, resume, workers, progress)
    if detector is not None:
        found = _judge(detector, device, images, space)
    else:
        learner = again.detector(device) if again else build_detector(choice, load_encoder(model, device=device))
        if (hint := advice(choice, model)) and again is None:
            progress.note(hint)
        found = _learn(learner, images, space, out)
    if again is not None:
        found = again.finish(found, out)
    found.save(out)
    source.save(out)
    write_report(images, found, out / REPORT, source.data, progress=progress)
    _report(found, out, output_format)
    judged = int(found.judged.sum())
    if fail_on_issues is not None and int(found.is_label_issue.sum()) > fail_on_issues * judged:
        raise typer.Exit(TOO_MANY_ISSUES)


def _learn(detector: Detector, images: LabeledImages, space: Workspace, out: Path) -> Detection:
    """Detect; a detector that can be used again is kept in the run folder."""
    from deft.detectors.deft import DeFT

    if not isinstance(detector, DeFT):
        return detector.detect(images, workspace=space)
    trained, found = detector.train(images, workspace=space)
    trained.save_pretrained(out / "detector")
    return found


def _judge(detector: Path, device: str, images: LabeledImages, space: Workspace) -> Detection:
    """Judge with a detector that was trained before."""
    from deft.detectors.deft_trained import TrainedDeFT

    return TrainedDeFT.from_pretrained(detector, device=device).detect(images, workspace=space)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _sample(images: LabeledImages, limit: int | None, seed: int) -> LabeledImages:
    """Some of the images, drawn by their names whatever the order of rows, in their order; all without a limit."""
    from hashlib import blake2b

    import numpy as np

    if limit is None or limit >= len(images):
        return images
    lots = [
        blake2b(f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in images.file_name
    ]
    drawn = sorted(range(len(images)), key=lambda row: lots[row])[:limit]
    return images.keep(np.sort(np.array(drawn, np.int64)))


def _scores(found: Detection) -> DetectionScores | None:
    """How good the verdicts are, where the truth is known."""
    from deft.metrics import score_detection

    if found.clean_labels is None or not (found.clean_labels >= 0).any():
        return None
    return score_detection(found.is_label_issue, found.p_clean, found.given, found.clean_labels, found.predicted)


def _report(found: Detection, out: Path, output_format: str) -> None:
    """Print the summary on standard output."""
    from rich.console import Console

    from deft.cli.output import plain, print_summary, printable, to_json
    from deft.runs.vocabulary import reviews_in_words

    scores = _scores(found)
    files = {name: str(out / name) for name in ("labels.csv", "labels.parquet", "summary.json", REPORT)}
    if output_format == "json":
        extra = {} if scores is None else {"scores": asdict(scores)}
        typer.echo(to_json({**found.summary(), **extra, "files": files}))
        return
    console = Console(soft_wrap=True)
    print_summary(console, found, scores)
    console.print()
    console.print(plain("To look at, in a browser: " + printable(files[REPORT])))
    console.print(plain("Every image with its verdict: " + printable(files["labels.csv"])))
    kept = ", detector/ (for new images: deft detect NEW -o RUN2 --detector ...)" if (out / "detector").is_dir() else ""
    console.print(plain(f"Also written: labels.parquet, summary.json{kept}"))
    reviews = found.info.get("reviews")
    if reviews is not None:
        console.print(plain(f"With reviews: {reviews_in_words(reviews)}. See what changed: deft review {out}"))
