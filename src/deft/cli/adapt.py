"""`deft adapt`: a classifier from any backbone, trained on the labels that are believed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deft.cli.detector_options import PrecisionName, TuningName, tuning_named
from deft.cli.run_folder import check_outside
from deft.errors import DataError, SettingsError
from deft.runs.vocabulary import TrainingFix

if TYPE_CHECKING:
    from deft.adaptation.model import AdaptedModel
    from deft.adaptation.training_set import TrainingSet
    from deft.adaptation.validation import Validation
    from deft.data.images import LabeledImages
    from deft.methods.base import Method
    from deft.progress import Progress

MethodName = Literal[
    "ce", "gce", "truncated-gce", "sce", "elr", "gmm", "co-teaching", "rolt", "unicon", "longremix", "promix", "turn"
]
HeadName = Literal["random", "text", "prompts"]
WORK = "training"
"""Folder inside MODEL for decoded images and the checkpoint; gone when the model is there."""

DATA, TRAINING, OUTPUT = "What is read", "How it learns", "What comes out"


def adapt(
    data: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DATA", help="Folder that deft detect left, or labelled images as it reads.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="MODEL", help="New folder for the model.", show_default=False)
    ],
    backbone: Annotated[
        str,
        typer.Option(
            metavar="ID|tiny|FOLDER", help="Image classification model of the Hugging Face hub; tiny works offline."
        ),
    ],
    method: Annotated[MethodName, typer.Option(help="How it learns from labels that may be wrong.")] = "ce",
    fix: Annotated[
        TrainingFix,
        typer.Option(help="What becomes of labels that RUN found wrong; weigh goes with ce."),
    ] = "drop",
    moved: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="Where RUN's images are now, if moved.", rich_help_panel=DATA),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Table of labels for a folder.", rich_help_panel=DATA)
    ] = None,
    image_col: Annotated[str | None, typer.Option(help="Column with images or paths.", rich_help_panel=DATA)] = None,
    label_col: Annotated[str | None, typer.Option(help="Column with the labels.", rich_help_panel=DATA)] = None,
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Class names, one a line, for integer labels.", rich_help_panel=DATA),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.", rich_help_panel=DATA)] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|DATA",
            help="Share of the images to hold back, as 0.1, or other labelled images; never the test set.",
            rich_help_panel=DATA,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode images; one per core if not given.", rich_help_panel=DATA),
    ] = None,
    tuning: Annotated[
        TuningName, typer.Option(help="What of the backbone learns beside the head.", rich_help_panel=TRAINING)
    ] = "full",
    head: Annotated[
        HeadName,
        typer.Option(help="text and prompts are for vision-language models.", rich_help_panel=TRAINING),
    ] = "random",
    epochs: Annotated[int, typer.Option(min=1, help="Times that each image is seen.", rich_help_panel=TRAINING)] = 10,
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr", help="Learning rate; the authors' for the backbone if not given.", rich_help_panel=TRAINING
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.", rich_help_panel=TRAINING)] = 64,
    noise_rate: Annotated[
        float | None, typer.Option(help="Share of wrong labels, for co-teaching.", rich_help_panel=TRAINING)
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Same seed, same machine, same model.", rich_help_panel=TRAINING)
    ] = 0,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where it runs.", rich_help_panel=TRAINING)
    ] = "auto",
    precision: Annotated[
        PrecisionName, typer.Option(help="Number format of the activations.", rich_help_panel=TRAINING)
    ] = "auto",
    keep: Annotated[
        Literal["last", "best"],
        typer.Option(help="Weights of which epoch; best needs --validation.", rich_help_panel=OUTPUT),
    ] = "last",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was stopped.", rich_help_panel=OUTPUT)
    ] = False,
    output_format: Annotated[
        Literal["table", "json"], typer.Option("--format", help="Form of the summary.", rich_help_panel=OUTPUT)
    ] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Train an image classifier on RUN's believed labels, or on any labelled images; write it into MODEL."""
    check_outside(out, data)
    check_model(out, resume=resume)
    if keep == "best" and validation is None:
        raise SettingsError("--keep best needs --validation: something to tell which epoch was best.")

    from deft.adaptation.adapt import adapt as train
    from deft.adaptation.backbones import kind_of, load_backbone
    from deft.adaptation.presets import preset
    from deft.cli.progress import choose_progress
    from deft.training.workspace import Workspace

    progress = choose_progress(quiet=quiet)
    chosen = tuning_named(tuning)
    columns = {"labels": labels, "image_column": image_col, "label_column": label_col, "classes": classes}
    kept = _open(data, fix, moved, {**columns, "split": split}, progress)
    model = load_backbone(backbone, head, device=device)
    optimization = preset(kind_of(model), chosen, precision=precision)
    trained = train(
        model,
        kept,
        method=_method(method, kept),
        tuning=chosen,
        head=head,
        epochs=epochs,
        optimization=optimization if lr is None else replace(optimization, learning_rate=lr),
        validation=_validation(validation, keep, progress),
        noise_rate=noise_rate,
        batch_size=batch_size,
        seed=seed,
        workspace=Workspace(out / WORK, resume, workers, progress),
    )
    # A card may be published, and where a folder lies is nobody's business.
    trained.training_record["data"]["name"] = (
        Path(data).expanduser().resolve().name if Path(data).expanduser().exists() else data
    )
    trained.save(out)
    shutil.rmtree(out / WORK)
    _report(trained, out, output_format)


def check_model(out: Path, *, resume: bool) -> None:
    """Refuse a folder for a model that holds something else, or another model.

    Raises:
        DataError: It is a file, or it isn't empty and `resume` isn't asked for.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; -o needs a folder for the model.")
    if not out.exists() or not any(out.iterdir()):
        return
    if (out / "config.json").exists():
        raise DataError(f"{out} holds a model already. Choose another folder with -o, or delete this one.")
    if not (out / WORK).is_dir():
        raise DataError(f"{out} is not empty. Choose another folder with -o.")
    if not resume:
        raise DataError(f"{out} holds a training that was stopped. Add --resume, or choose another folder with -o.")


def _open(data: str, fix: TrainingFix, moved: str | None, columns: dict[str, Any], progress: Progress) -> TrainingSet:
    """The images of a run, as it judged them and people decided; or labelled images as they are."""
    from deft.adaptation.training_set import all_of, fix_labels
    from deft.data.load import load_images
    from deft.runs.folder import RUN, open_run

    if not (Path(data).expanduser() / RUN).is_file():
        if fix != "drop" or moved is not None:
            option = "--data" if moved is not None else "--fix"
            raise SettingsError(f"{option} is for a folder that deft detect left; {data} holds no {RUN}.")
        return all_of(load_images(data, **columns, progress=progress))
    given = [name for name, value in columns.items() if value is not None]
    if given:
        raise SettingsError(
            f"{data} is a run, which knows how its images were read; leave out the option for {given[0]}."
        )
    found, images = open_run(data, data=moved)
    return fix_labels(found, _reviewed(Path(data), images, progress), fix)


def _reviewed(run: Path, images: LabeledImages, progress: Progress) -> LabeledImages:
    """The images with what people decided about them in `deft review`."""
    from deft.runs.decisions import FILE, Decisions
    from deft.runs.reviewed import apply_decisions, info
    from deft.runs.vocabulary import reviews_in_words

    if not (run / FILE).is_file():
        return images
    with Decisions(run) as log:
        reviewed = apply_decisions(images, log.history())
    progress.note(f"With reviews: {reviews_in_words(info(run, reviewed))}.")
    return reviewed.images


def _method(name: MethodName, kept: TrainingSet) -> Method | None:
    """The method; None where weights take the place of plain cross-entropy."""
    from deft.methods.registry import method_class

    return None if name == "ce" and kept.weights is not None else method_class(name)()


def _validation(given: str | None, keep: Literal["last", "best"], progress: Progress) -> Validation | None:
    from deft.adaptation.validation import Validation
    from deft.data.load import load_images

    if given is None:
        return None
    try:
        share = float(given)
    except ValueError:
        return Validation(load_images(given, progress=progress), keep)
    return Validation(share, keep)


def _report(model: AdaptedModel, out: Path, output_format: str) -> None:
    """Print what was trained, on standard output."""
    from rich.console import Console

    from deft.cli.output import plain, printable, to_json

    training_record = model.training_record
    if output_format == "json":
        typer.echo(to_json({**training_record, "classes": list(model.classes), "model": str(out)}))
        return
    console = Console(soft_wrap=True)
    counts = training_record["data"]["counts"]
    images = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    console.print(plain(f"{training_record['backbone']} learned {len(model.classes)} classes. Images: {images}."))
    watched = training_record["validation"]
    if watched:
        console.print(
            plain(
                f"Right on the {watched['images']} validation images: last epoch {watched['last']:.1%}, "
                f"best {watched['best']:.1%} (epoch {watched['best_epoch']}); kept: {watched['kept']}."
            )
        )
    console.print(plain(f"The model: {printable(out)} (what it was made of: README.md)"))
    console.print(plain(f"On new photos: deft predict {printable(out)} PHOTOS"))
