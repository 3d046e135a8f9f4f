"""`deft export`: corrected data from a run, in the form that is needed next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deft.cli.options import FormatName, Moved, Quiet, Run, SafeCsv
from deft.cli.run_folder import check_opens, check_outside
from deft.errors import SettingsError
from deft.runs.vocabulary import Fix, Use
from deft.wording import counted

if TYPE_CHECKING:
    from deft.export.plan import Plan, Written

LinkName = Literal["copy", "hard", "symlink"]


def export(
    run: Run,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="New folder for the result.")] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="The same as -o.")] = None,
    as_: Annotated[FormatName, typer.Option("--as", help="What to write.")] = "imagefolder",
    use: Annotated[Use, typer.Option(help="Whose word counts; under both, a review wins over a verdict.")] = "both",
    fix: Annotated[
        Fix, typer.Option(help="What becomes of labels that the detector flagged and nobody reviewed.")
    ] = "drop",
    link: Annotated[LinkName, typer.Option(help="How files get into an imagefolder.")] = "copy",
    data: Moved = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Label Studio's document root; the folder above the images if not given."),
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="USER/NAME", help="Push the hf data set to the Hugging Face Hub as well.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Push so that only you see it.")] = False,
    safe_csv: SafeCsv = False,
    quiet: Quiet = False,
) -> None:
    """Write the images of RUN with corrected labels into DIR; the data itself is never touched."""
    folder = _one_folder(out, to)
    _check(as_, link, root, push, private)

    from deft.cli.progress import choose_progress
    from deft.data.dataset_writer import check_repository, push_folder
    from deft.export.write import write_export

    if push is not None:
        check_repository(push)
    progress = choose_progress(quiet=quiet)
    plan = _plan(run, folder, data, use, fix)
    written = write_export(plan, folder, as_, link=link, root=root, safe_csv=safe_csv, progress=progress)
    _report(plan, written, folder, as_)
    if push is not None:
        progress.note(f"Pushing to {push}")
        typer.echo(f"Pushed to {push_folder(folder, push, private=private)}")


def _one_folder(out: Path | None, to: Path | None) -> Path:
    """Return the folder for the result, which either option names."""
    if out is not None and to is not None:
        raise SettingsError("-o and --to both name the folder for the result; give one of them.")
    folder = to if out is None else out
    if folder is None:
        raise SettingsError("The folder for the result is missing: deft export RUN -o DIR.")
    return folder


def _check(as_: str, link: str, root: Path | None, push: str | None, private: bool) -> None:
    if link != "copy" and as_ != "imagefolder":
        raise SettingsError(f"--link belongs to --as imagefolder; {as_} has no use for it.")
    if root is not None and as_ != "labelstudio":
        raise SettingsError(f"--root belongs to --as labelstudio; {as_} has no use for it.")
    if push is not None and as_ != "hf":
        raise SettingsError(f"--push belongs to --as hf; {as_} can't be pushed.")
    if private and push is None:
        raise SettingsError("--private belongs to --push.")


def _plan(run: Path, to: Path, data: str | None, use: Use, fix: Fix) -> Plan:
    """Open the run and decide what becomes of every image."""
    from deft.export.plan import plan_run
    from deft.runs.source import Source

    check_opens(run, data)
    plan = plan_run(run, data=data, use=use, fix=fix)
    check_outside(to, Source.load(run).data if data is None else data)
    return plan


def _report(plan: Plan, written: Written, to: Path, as_: str) -> None:
    from deft.cli.output import plain, standard_output
    from deft.runs.outcomes import count_outcomes

    console = standard_output()
    counts = ", ".join(f"{name} {count}" for name, count in count_outcomes(plan.outcomes).items())
    console.print(plain(f"{counted(len(plan.outcomes), 'image')} in the run: {counts}"))
    if written.already:
        console.print(plain(f"{to} holds this export already, whole; nothing was written."))
        return
    what = "change" if as_ == "patch" else "image"
    files = ", ".join(str(to / name) for name in written.files or ("",))
    console.print(plain(f"{counted(written.images, what)} written as {as_}: {files}"))
    for note in written.notes:
        console.print(plain(note))
