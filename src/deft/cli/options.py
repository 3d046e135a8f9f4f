"""The options that several commands share, each written once, and the checks that every command line passes.

Nothing heavy is imported here: the choices come from tables that hold names only.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from deft.cli.bounds import MOST, MOST_ROWS, device, positive, rate, seed
from deft.cli.launch import processes_here
from deft.detectors.registry import DETECTORS
from deft.errors import SettingsError
from deft.export.formats import FORMATS
from deft.methods.registry import METHODS

if TYPE_CHECKING:
    from deft.progress import Progress
    from deft.runs.source import Source
    from deft.training.workspace import Workspace

DATA, TRAINING, OUTPUT = "What is read", "How it works", "What comes out"

TUNINGS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "vpt": {"type": "VPT"},
        "vpt-shallow": {"type": "VPT", "depth": "shallow"},
        "lora": {"type": "LoRA"},
        "adapter": {"type": "Adapter"},
        "bias": {"type": "Bias"},
        "full": {"type": "Full"},
        "layers": {"type": "Layers"},
        "frozen": {"type": "Frozen"},
    }
)
"""Settings of the tunings, as `tuning_from_settings` takes them, by the names of the command line."""

if TYPE_CHECKING:  # a type checker can't read the choices from a table; Typer can
    DetectorName: TypeAlias = str
    MethodName: TypeAlias = str
    FormatName: TypeAlias = str
    TuningName: TypeAlias = str
else:
    DetectorName = Literal[tuple(DETECTORS)]
    MethodName = Literal[tuple(METHODS)]
    FormatName = Literal[tuple(FORMATS)]
    TuningName = Literal[tuple(TUNINGS)]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]


def option(panel: str, *names: str, **settings: Any) -> Any:
    """Return an option that help shows in a panel; with no default there to see where it would be empty."""
    return typer.Option(*names, rich_help_panel=panel, **settings)


# What is read
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Folder of class folders, CSV, TSV, JSONL or Parquet table, Hugging Face data set id, s3://bucket/photos.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that deft detect wrote.", show_default=False)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that deft adapt wrote.", show_default=False)]
Labels = Annotated[
    Path | None, option(DATA, "--labels", metavar="FILE", help="Table of labels for a folder.", show_default=False)
]
ImageCol = Annotated[
    str | None,
    option(DATA, "--image-col", metavar="NAME", help="Column with images or paths; found by its name if not given."),
]
LabelCol = Annotated[
    str | None,
    option(DATA, "--label-col", metavar="NAME", help="Column with the labels; found by its name if not given."),
]
CleanCol = Annotated[
    str | None, option(DATA, "--clean-col", metavar="NAME", help="Column with true labels, for scoring only.")
]
Words = Annotated[
    Path | None, option(DATA, "--words", metavar="FILE", help="Words for the model, name<TAB>words a line; names stay.")
]
Classes = Annotated[
    Path | None, option(DATA, "--classes", metavar="FILE", help="Class names, one a line, for integer labels.")
]
Split = Annotated[
    str | None, option(DATA, "--split", metavar="NAME", help="Only this split, as train; all if not given.")
]
Limit = Annotated[
    int | None,
    option(
        DATA,
        "--limit",
        metavar="N",
        min=2,
        max=MOST_ROWS,
        help="Only this many images, drawn by the seed; all if not given.",
    ),
]
Workers = Annotated[
    int | None,
    option(
        DATA, "--workers", metavar="N", min=0, max=1024, help="Processes that decode images; one per core if not given."
    ),
]
ProcessCount = Annotated[
    int,
    option(
        DATA,
        "--processes",
        metavar="N",
        min=1,
        max=1024,
        help="Processes that share the work; on GPUs, each has one.",
    ),
]
Moved = Annotated[
    str | None, option(DATA, "--data", metavar="DATA", help="Where the images are now, if they were moved.")
]

Config = Annotated[
    Path | None,
    option(DATA, "--config", metavar="FILE", help="Options as run.toml of a run has them; what is typed wins."),
]

# How it works
TensorBoardFolder = Annotated[
    Path | None,
    option(OUTPUT, "--tensorboard", metavar="FOLDER", help="Write losses and scores there for TensorBoard."),
]
Epochs = Annotated[
    int | None,
    option(TRAINING, "--epochs", metavar="N", min=1, max=MOST, help="Times that each image is seen; 10 if not given."),
]
LearningRate = Annotated[
    float | None,
    option(TRAINING, "--lr", metavar="RATE", callback=positive, help="Learning rate; the authors' if not given."),
]
BatchSize = Annotated[int, option(TRAINING, "--batch-size", metavar="N", min=1, max=MOST, help="Images per step.")]
Seed = Annotated[
    int,
    option(TRAINING, "--seed", metavar="N", callback=seed, help="Same seed, same machine, same result."),
]
Device = Annotated[
    str, option(TRAINING, "--device", metavar="auto|cpu|cuda|mps", callback=device, help="Where it runs.")
]
Precision = Annotated[PrecisionName, option(TRAINING, "--precision", help="Number format of the activations.")]
NoiseRate = Annotated[
    float | None,
    option(
        TRAINING,
        "--noise-rate",
        metavar="RATE",
        callback=rate,
        help="Share of wrong labels, 0 to 1, for methods that ask for it.",
    ),
]
Set = Annotated[
    list[str] | None,
    option(
        TRAINING,
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting of the method, as --set optimization.momentum=0.8; a wrong key lists them all.",
    ),
]

# What comes out
Resume = Annotated[bool, option(OUTPUT, "--resume", help="Go on with what was stopped.")]
Format = Annotated[Literal["table", "json"], option(OUTPUT, "--format", help="Form of the summary.")]
SafeCsv = Annotated[
    bool,
    option(OUTPUT, "--safe-csv", help="CSV for spreadsheets: an apostrophe before cells that would be formulas."),
]
Quiet = Annotated[bool, option(OUTPUT, "--quiet", "-q", help="No progress.")]


def pairs(texts: Sequence[str] | None) -> dict[str, str]:
    """Return what `--set` was given, by key.

    Args:
        texts: Each `key=value`.

    Raises:
        SettingsError: One isn't, or a key comes twice.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set takes KEY=VALUE, as in --set epochs=5, not {text!r}.")
        if key.strip() in found:
            raise SettingsError(f"--set {key.strip()} is there twice.")
        found[key.strip()] = value
    return found


def refuse_given(context: typer.Context, refused: Container[str], why: str) -> None:
    """Refuse options that were typed and don't go with what else was typed.

    Args:
        context: Context of the command.
        refused: Names of its parameters.
        why: The sentence, with `{}` for the option.

    Raises:
        SettingsError: One of them was typed.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in refused and source is not None and source.name == "COMMANDLINE":
            raise SettingsError(why.format(parameter.opts[0]))


def source_of(
    data: str,
    labels: Path | None = None,
    classes: Path | None = None,
    split: str | None = None,
    image_col: str | None = None,
    label_col: str | None = None,
    clean_col: str | None = None,
    words: Path | None = None,
) -> Source:
    """Return where images come from, as a command was told; its `open` finds them.

    Raises:
        DataError: One of the paths leads nowhere.
    """
    from deft.runs.source import Source

    table, names, read = (None if path is None else str(path) for path in (labels, classes, words))
    source = Source(data, table, names, split, image_col, label_col, clean_col, read)
    source.check_there()
    return source


def workspace_of(folder: Path, resume: bool, workers: int | None, progress: Progress, device: str) -> Workspace:
    """Return where and how a command works, with the other processes that share its work."""
    from deft.training.workspace import Workspace

    return Workspace(folder, resume, workers, progress, processes=processes_here(device))
