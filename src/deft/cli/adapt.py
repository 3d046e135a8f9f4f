"""`deft adapt`: a classifier from any backbone, trained on the labels that are believed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deft.cli import config as config_file
from deft.cli.adapt_settings import given_settings, parsed_settings
from deft.cli.detector_options import tuning_named
from deft.cli.launch import rank_here
from deft.cli.limits import MaxPixels, MaxSeconds, kept_with_limits
from deft.cli.options import (
    DATA,
    OUTPUT,
    TRAINING,
    BatchSize,
    Classes,
    Config,
    Device,
    Epochs,
    Format,
    ImageCol,
    LabelCol,
    Labels,
    LearningRate,
    MethodName,
    Moved,
    NoiseRate,
    Precision,
    PrecisionName,
    ProcessCount,
    Quiet,
    Resume,
    Seed,
    Set,
    Split,
    TensorBoardFolder,
    TuningName,
    Words,
    Workers,
    option,
    refuse_given,
    source_of,
    workspace_of,
)
from deft.cli.progress import choose_progress, during, logged
from deft.cli.run_folder import CONFIG, WORK, check_model, check_model_name, check_opens, check_outside
from deft.cli.terminal import tell
from deft.errors import DataError, SettingsError
from deft.runs.lock import only_writer
from deft.runs.vocabulary import TrainingFix
from deft.stages import ADAPTATION
from deft.wording import counted, printable

if TYPE_CHECKING:
    from deft.adaptation.model import AdaptedModel
    from deft.adaptation.training_set import TrainingSet
    from deft.adaptation.validation import Validation
    from deft.data.preprocessing import Preprocessing
    from deft.encoders.base import DualEncoder
    from deft.encoders.vision import VisionModel
    from deft.methods.base import Method
    from deft.progress import Progress
    from deft.runs.source import Source
    from deft.training.optimization import Optimization
    from deft.tuning import Tuning

HeadName = Literal["random", "linear", "text", "prompts"]
Keep = Literal["last", "best"]
EPOCHS = 10
OF_DATA = frozenset(["labels", "image_col", "label_col", "classes", "words", "split"])
"""Parameters that say how images are read, which a run knows."""

RunOrData = Annotated[
    str,
    typer.Argument(
        metavar="RUN|DATA", help="Folder that deft detect left, or labelled images as it reads.", show_default=False
    ),
]
Out = Annotated[
    Path, typer.Option("-o", "--out", metavar="MODEL", help="New folder for the model.", show_default=False)
]
BackboneName = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="ID|tiny|FOLDER",
        help="Image classification model of the Hugging Face hub; tiny works offline.",
        show_default=False,
    ),
]
MethodOption = Annotated[MethodName, typer.Option("--method", help="How it learns from labels that may be wrong.")]
FixOption = Annotated[
    TrainingFix, typer.Option("--fix", help="What becomes of labels that RUN found wrong; weigh and mask go with ce.")
]
ValidationOption = Annotated[
    str | None,
    option(
        DATA,
        "--validation",
        metavar="SHARE|DATA",
        help="Share of the images to hold back, as 0.1, or other labelled images; never the test set.",
    ),
]
TuningOption = Annotated[TuningName, option(TRAINING, "--tuning", help="What of the backbone learns beside the head.")]
HeadOption = Annotated[
    HeadName, option(TRAINING, "--head", help="All but random are for vision-language models; linear is the paper's.")
]
KeepOption = Annotated[Keep, option(OUTPUT, "--keep", help="Weights of which epoch; best needs --validation.")]


def adapt(
    command: typer.Context,
    data: RunOrData,
    out: Out,
    backbone: BackboneName,
    method: MethodOption = "ce",
    fix: FixOption = "drop",
    moved: Moved = None,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    classes: Classes = None,
    words: Words = None,
    split: Split = None,
    validation: ValidationOption = None,
    workers: Workers = None,
    processes: ProcessCount = 1,
    max_pixels: MaxPixels = None,
    max_seconds: MaxSeconds = None,
    tuning: TuningOption = "full",
    head: HeadOption = "random",
    epochs: Epochs = None,
    lr: LearningRate = None,
    batch_size: BatchSize = 64,
    noise_rate: NoiseRate = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    settings: Set = None,
    keep: KeepOption = "last",
    tensorboard: TensorBoardFolder = None,
    resume: Resume = False,
    output_format: Format = "table",
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Train an image classifier on RUN's believed labels, or on any labelled images; write it into MODEL."""
    _check_places(command, out, data, backbone, resume=resume)
    sets, watched = given_settings(method, fix, settings), _validation(validation, keep)
    with logged(choose_progress(quiet=quiet, stages=ADAPTATION), tensorboard) as progress:
        images = _unlearned(_limited(command, progress), out, output_format)
        own, rates, seen = parsed_settings(method, sets, lr)
        with during(progress, "Loading the model"):
            model, optimization = _load(backbone, head, chosen := tuning_named(tuning), device, precision, rates, seen)
        with only_writer(out) if not rank_here() else nullcontext():
            trained = _train(
                model,
                images,
                method=_method(method, own, images),
                tuning=chosen,
                head=head,
                epochs=EPOCHS if epochs is None else epochs,
                optimization=optimization,
                validation=_opened(watched, keep, progress),
                noise_rate=noise_rate,
                batch_size=batch_size,
                seed=seed,
                workspace=workspace_of(out / WORK, resume, workers, progress, device),
            )
            _save(trained, data, out, config_file.recipe(command))
    _report(trained, out, output_format)


def _train(model: VisionModel | DualEncoder, images: TrainingSet, **settings: Any) -> AdaptedModel:
    """Train, with the settings of `deft.adapt`, which is loaded only here."""
    from deft.adaptation.adapt import adapt as train

    return train(model, images, **settings)


def _save(trained: AdaptedModel, data: str, out: Path, recipe: str) -> None:
    """Write the model with the file that repeats it, and take away what training left beside it; in one process."""
    if rank_here():
        return
    _name_data(trained, data)
    trained.save(out, beside={config_file.FILE: recipe})
    shutil.rmtree(out / WORK, ignore_errors=True)


def _unlearned(images: TrainingSet, out: Path, output_format: str) -> TrainingSet:
    """Return the images; where this very command has left its model already, report that and end.

    Raises:
        DataError: It has learned from other images or labels.
        Exit: There is nothing left to do.
    """
    if not (out / CONFIG).is_file():
        return images
    from deft.adaptation.model import AdaptedModel

    model = AdaptedModel.load(out, device="cpu")
    if not images.is_what(model.training_record):
        raise DataError(
            f"{out} holds a model already, which has learned from other images or labels. Choose another folder with "
            "-o, or delete this one."
        )
    if rank_here():
        raise typer.Exit
    tell(f"{printable(out)} holds this model already, whole; nothing was trained.")
    with only_writer(out):
        shutil.rmtree(out / WORK, ignore_errors=True)
    _report(model, out, output_format)
    raise typer.Exit


def _check_places(command: typer.Context, out: Path, data: str, backbone: str, *, resume: bool) -> None:
    """Refuse what is wrong with the folders, also that of the backbone, at once."""
    check_model_name(backbone)
    check_outside(out, data)
    check_model(out, resume=resume, recipe=config_file.recipe(command))


def _validation(given: str | None, keep: Keep) -> float | Source | None:
    """Return the share to hold back, or where images of their own come from; refused at once where it is neither."""
    if given is None:
        if keep == "best":
            raise SettingsError("--keep best needs --validation: something to tell which epoch was best.")
        return None
    try:
        share = float(given)
    except ValueError:
        return source_of(given)
    if not 0 < share < 1:
        raise SettingsError(f"--validation takes a share between 0 and 1, or other labelled images; not {given}.")
    return share


def _opened(watched: float | Source | None, keep: Keep, progress: Progress) -> Validation | None:
    """Return what training is watched with."""
    if watched is None:
        return None
    from deft.adaptation.validation import Validation

    return Validation(watched if isinstance(watched, float) else watched.open(progress), keep)


def _source(command: typer.Context, data: str, fix: TrainingFix, moved: str | None) -> Source | None:
    """Return where labelled images come from; None for a run, which knows it itself."""
    from deft.runs.source import RUN

    if (Path(data).expanduser() / RUN).is_file():
        refuse_given(command, OF_DATA, f"{data} is a run, which knows how its images were read; leave out {{}}.")
        check_opens(Path(data), moved)
        return None
    if fix != "drop" or moved is not None:
        typed = "--data" if moved is not None else "--fix"
        raise SettingsError(f"{typed} is for a folder that deft detect left; {data} holds no {RUN}.")
    return source_of(data, **{name: command.params[name] for name in OF_DATA})


def _limited(command: typer.Context, progress: Progress) -> TrainingSet:
    """Return the images, with the limits on what may be decoded."""
    given = command.params
    with during(progress, "Finding images"):
        kept = _images(command, given["data"], given["fix"], given["moved"], progress)
    return kept_with_limits(kept, given["max_pixels"], given["max_seconds"])


def _images(command: typer.Context, data: str, fix: TrainingFix, moved: str | None, progress: Progress) -> TrainingSet:
    """Return the images of a run, as it judged them and people decided; or labelled images as they are."""
    from deft.adaptation.training_set import all_of, fix_labels

    source, run = _source(command, data, fix, moved), Path(data)
    if source is not None:
        return all_of(source.open(progress))
    from deft.runs.folder import open_run
    from deft.runs.reviewed import info, read_reviewed
    from deft.runs.vocabulary import reviews_in_words

    found, images = open_run(run, data=moved)
    reviewed = read_reviewed(run, images)
    if reviewed is None:
        return fix_labels(found, images, fix)
    progress.note(f"With reviews: {reviews_in_words(info(run, reviewed))}.")
    return fix_labels(found, reviewed.images, fix)


def _method(name: str, settings: Mapping[str, Any], images: TrainingSet) -> Method | None:
    """Return the method; None where weights take the place of plain cross-entropy."""
    from deft.methods.registry import method_class
    from deft.settings import changed

    return None if name == "ce" and images.weights is not None else changed(method_class(name)(), settings)


def _load(
    name: str,
    head: HeadName,
    tuning: Tuning,
    device: str,
    precision: PrecisionName,
    rates: Mapping[str, Any],
    seen: Preprocessing | None,
) -> tuple[VisionModel | DualEncoder, Optimization]:
    """Return the backbone and its optimization: the authors' settings for it, changed by what was typed."""
    from deft.adaptation.backbones import kind_of, load_backbone
    from deft.adaptation.presets import preset
    from deft.settings import changed

    model = load_backbone(name, head, device=device)
    model = model if seen is None else seen.on(model)
    return model, changed(preset(kind_of(model), tuning, precision=precision), rates)


def _name_data(model: AdaptedModel, data: str) -> None:
    """Name the data in the record: a card may be published, and where a folder lies is nobody's business."""
    path = Path(data).expanduser()
    model.training_record["data"]["name"] = path.resolve().name if path.exists() else data


def _report(model: AdaptedModel, out: Path, output_format: str) -> None:
    """Print what was trained, on standard output; in one process."""
    if rank_here():
        return
    from deft.cli.output import plain, standard_output
    from deft.files import strict_json

    training_record = model.training_record
    if output_format == "json":
        typer.echo(strict_json({**training_record, "classes": list(model.classes), "model": str(out)}))
        return
    console = standard_output()
    counts = training_record["data"]["counts"]
    images = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    classes = counted(len(model.classes), "class", "classes")
    console.print(plain(f"{training_record['backbone']} learned {classes}. Images: {images}."))
    watched = training_record["validation"]
    if watched:
        console.print(
            plain(
                f"Right on {counted(watched['images'], 'validation image')}: last epoch {watched['last']:.1%}, "
                f"best {watched['best']:.1%} (epoch {watched['best_epoch']}); kept: {watched['kept']}."
            )
        )
    console.print(plain(f"The model: {printable(out)} (what it was made of: README.md)"))
    console.print(plain(f"On new photos: deft predict {printable(out)} PHOTOS"))
