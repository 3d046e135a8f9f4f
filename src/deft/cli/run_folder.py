"""Folders of runs: where a command may write (never into the data, never over somebody's files), and what it opens."""

from __future__ import annotations

import difflib
from pathlib import Path

from deft.cli import config
from deft.errors import DataError, ModelError, SettingsError

WORK = "training"
"""Folder inside MODEL for decoded images and the checkpoint; gone when the model is there."""

DETECTOR = "detector.json"
"""What a folder of a kept detector holds, whatever else."""

CONFIG = "config.json"
"""File without which a folder holds no model."""


def check_outside(output: Path, data: str) -> None:
    """Refuse to write into the folder that is read.

    Raises:
        DataError: The output lies inside the data folder, or is the data file.
    """
    source = Path(data).expanduser()
    if not source.exists():
        return
    place, source = output.expanduser().resolve(), source.resolve()
    if place == source or (source.is_dir() and source in place.parents):
        raise DataError(f"{output} lies inside the data, {data}, where deft never writes. Choose another folder.")


def check_opens(run: Path, data: str | None) -> None:
    """Refuse a run that isn't there, or whose images have gone, with what to do.

    Args:
        run: Folder of the run.
        data: Where the images are now, if that was said.

    Raises:
        DataError: There is no such folder, or nothing is where the images were.
    """
    from deft.runs.source import RUN, Source

    if not run.is_dir():
        raise DataError(f"There is no run folder {run}; deft detect DATA -o RUN makes one.")
    if data is not None or not (run / RUN).is_file():
        return
    source = Path(Source.load(run).data)
    if source.is_absolute() and not source.exists():  # what isn't absolute is no path but on the Hub
        raise DataError(f"The images of this run are no longer at {source}. Say where they are now with --data.")


def check_new_table(out: Path, data: str) -> None:
    """Refuse a table of labels that is no table, is there already, or lies inside the data.

    Raises:
        DataError: It is there, or inside the data.
        SettingsError: Its name doesn't end as a table's does.
    """
    check_outside(out, data)
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise SettingsError(f"{out} must end in .csv or .parquet.")
    if out.exists():
        raise DataError(f"{out} is there already. Delete it or choose another name with -o.")


def check_trained(model: Path) -> None:
    """Refuse a folder that holds no trained classifier, before anything is read.

    Raises:
        ModelError: There is none.
    """
    if not model.is_dir():
        raise ModelError(f"There is no folder {model}; deft adapt RUN -o MODEL makes one.")
    if not (model / CONFIG).is_file():
        raise ModelError(f"{model} holds no config.json, so it is no model of deft adapt.")


def check_detector(folder: Path) -> None:
    """Refuse a folder that holds no kept detector, before anything is read.

    Raises:
        ModelError: There is none.
    """
    if not (folder / DETECTOR).is_file():
        raise ModelError(f"{folder} holds no {DETECTOR}, so it is no detector that deft detect left in its run.")


def check_model_name(name: str) -> None:
    """Refuse a model's folder that isn't there or holds no model, before anything is read.

    Args:
        name: As it was typed; whether the hub has a model of that name isn't asked.

    Raises:
        ModelError: It can only be a folder, and there is none, or it has no configuration; or it is nearly "tiny".
    """
    folder = Path(name)
    if folder.is_dir():
        from deft.encoders.hub import check_folder

        check_folder(name, folder)
    if not folder.exists() and (name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name):
        raise ModelError(f"There is no model folder {name}. Give a folder, a hub id such as owner/name, or tiny.")
    if not folder.exists() and name != "tiny" and difflib.get_close_matches(name.casefold(), ["tiny"]):
        raise ModelError(f"There is no model {name}. Did you mean tiny, the one that comes with deft?")


def check_run(run: Path, *, resume: bool, recipe: str | None = None) -> None:
    """Refuse a folder for a run that holds something else, or another run.

    Args:
        run: The folder.
        resume: Whether to go on with what is there.
        recipe: What was typed (`config.recipe`), if a finished run has to be one of the same options.

    Raises:
        DataError: It is a file, it holds something that is no run, it holds a run and `resume` isn't asked for, or it
            holds a finished run of other options.
    """
    from deft.runs.folder import is_run
    from deft.runs.lock import is_empty, refuse_second
    from deft.runs.storage import TABLE

    if run.exists() and not run.is_dir():
        raise DataError(f"{run} is a file; -o needs a folder for the run.")
    refuse_second(run)
    if not run.exists() or is_empty(run):
        return
    if not is_run(run):
        raise DataError(
            f"{run} is not empty, and holds no run of deft's, so nothing is written there. Choose another folder "
            "with -o."
        )
    finished = (run / TABLE).exists()
    if resume:
        if recipe is not None and finished and (run / config.FILE).is_file():
            config.check_repeats(run, recipe)
        return
    if finished:
        raise DataError(
            f"{run} holds a finished run (see its labels.csv). Choose another folder with -o, or delete this one."
        )
    raise DataError(f"{run} holds a run that was stopped. Add --resume, or choose another folder with -o.")


def check_model(out: Path, *, resume: bool, recipe: str) -> None:
    """Refuse a folder for a model that holds something else, or another model.

    Args:
        out: The folder.
        resume: Whether to go on with what is there.
        recipe: What was typed (`config.recipe`).

    Raises:
        DataError: It is a file; it isn't empty and `resume` isn't asked for; or it holds a model of other options.
    """
    from deft.runs.lock import is_empty, refuse_second

    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; -o needs a folder for the model.")
    refuse_second(out)
    if not out.exists() or is_empty(out):
        return
    if (out / CONFIG).exists():
        if resume and (out / config.FILE).is_file():
            return config.check_repeats(out, recipe)
        raise DataError(f"{out} holds a model already. Choose another folder with -o, or delete this one.")
    if not (out / WORK).is_dir():
        raise DataError(f"{out} is not empty. Choose another folder with -o.")
    if not resume:
        raise DataError(f"{out} holds a training that was stopped. Add --resume, or choose another folder with -o.")
