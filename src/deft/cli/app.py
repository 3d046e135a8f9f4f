"""The command `deft`: its subcommands, its exit codes, and one sentence for every error a user can mend.

Exit codes: 0 done, 2 usage or data, 3 more labels flagged than `--fail-on-issues` allows, 130 stopped by Ctrl-C,
143 by SIGTERM, 129 by SIGHUP.
Nothing heavy is imported before a command runs, so that `deft --help` answers at once.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deft.cli.adapt import adapt
from deft.cli.apply import apply
from deft.cli.bench import bench
from deft.cli.command import Command, hide_types
from deft.cli.compare import compare
from deft.cli.corrupt import corrupt
from deft.cli.demo import demo
from deft.cli.detect import detect
from deft.cli.doctor import doctor
from deft.cli.evaluate import evaluate
from deft.cli.export import export
from deft.cli.launch import ALONE
from deft.cli.own_words import in_options
from deft.cli.predict import predict
from deft.cli.report import report
from deft.cli.review import review
from deft.cli.score import score
from deft.cli.terminal import Stopped, drop_streams, end_streams, heed_signals, prepare_streams, tell
from deft.errors import AloneError, DeftError
from deft.wording import printable

USAGE, STOPPED, SIGNALLED = 2, 130, 128
MENDABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ENOENT, errno.ESTALE, errno.EIO, errno.EMFILE,
    errno.ENFILE, errno.ELOOP, errno.EBUSY, errno.EXDEV, errno.ENOMEM,
}  # fmt: skip


class _Commands(TyperGroup):
    """Runs a command and turns what a user can mend into one sentence on standard error."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        typed = list(args)
        context = super().make_context(info_name, args, *rest, **extra)
        context.meta["deft.typed"] = typed
        return context

    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        hide_types(params)
        return params

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DeftError as error:
            _say(f"deft: {in_options(str(error))}")
            raise typer.Exit(ALONE if isinstance(error, AloneError) else USAGE) from error
        except KeyboardInterrupt as stop:
            typer.echo(printable(_how_to_resume(ctx.meta["deft.typed"])), err=True)  # in one piece, to be copied
            raise typer.Exit(SIGNALLED + stop.number if isinstance(stop, Stopped) else STOPPED) from stop
        except MemoryError as error:
            _say("deft: The memory of this machine is too small for this. Try a smaller --batch-size, or --limit.")
            raise typer.Exit(USAGE) from error
        except OSError as error:
            if error.errno not in MENDABLE:
                raise
            _say(f"deft: {_trouble(error)}")
            raise typer.Exit(USAGE) from error
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            smaller = "a smaller --batch-size, or " if _has_batches(self, ctx) else ""
            _say(f"deft: The accelerator's memory is too small for this. Try {smaller}--device cpu.")
            raise typer.Exit(USAGE) from error


app = typer.Typer(
    cls=_Commands,
    name="deft",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
EXAMPLES: Mapping[Callable[..., None], str] = {
    detect: "deft detect photos/ -o run/",
    review: "deft review run/",
    report: "deft report run/ --limit 1000",
    compare: "deft compare run/ run2/",
    adapt: "deft adapt run/ --backbone facebook/convnext-tiny-224 -o model/",
    predict: "deft predict model/ new_photos/ -o predictions.csv",
    score: "deft score new_photos/ verdicts/ --detector run/detector",
    evaluate: "deft evaluate model/ test_photos/",
    demo: "deft demo -o demo-run/",
    export: "deft export run/ -o cleaned/ --as imagefolder --fix relabel",
    apply: "deft apply patch/patch.json photos/ -o labels.csv",
    corrupt: "deft corrupt photos/ --rate 0.1 -o labels.csv",
    bench: "deft bench list",
    doctor: "deft doctor --device cpu",
}
"""How each command is typed, in the order of the help."""

for command, example in EXAMPLES.items():
    app.command(cls=Command, epilog=f"Example: {example}")(command)


def _print_version(asked: bool) -> None:
    if asked:
        from deft import __version__

        typer.echo(f"deft {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Find the wrong labels in an image data set with a vision-language model."""


def run() -> None:
    """Run the command line on the process's own arguments."""
    prepare_streams()
    heed_signals()
    try:
        app(prog_name="deft")
    finally:
        _end()


def _end() -> None:
    """Write out what is printed; where that can't be done, say so."""
    try:
        end_streams()
    except OSError as error:
        drop_streams()
        _say(f"deft: What is printed can't be written: {error.strerror}.")
        sys.exit(USAGE)


def _how_to_resume(typed: list[str]) -> str:
    if typed[:1] in (["bench"], ["score"]):
        return f"Stopped. What is done is kept; go on with: {shlex.join(['deft', *typed])}"
    if typed[:1] not in (["detect"], ["adapt"]):
        return "Stopped."
    again = typed if "--resume" in typed else [*typed, "--resume"]
    return f"Stopped. Resume with: {shlex.join(['deft', *again])}"


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an accelerator has no memory left: said by PyTorch, by the driver, or by a library's workspace."""
    said = str(error)
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in said or "ALLOC_FAILED" in said


def _has_batches(commands: TyperGroup, context: Any) -> bool:
    """Return whether the command that runs has a batch size to make smaller."""
    command = commands.get_command(context, context.meta["deft.typed"][0])
    return command is not None and any(param.name == "batch_size" for param in command.params)


def _trouble(error: OSError) -> str:
    """Return what a system's error means, as a sentence."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    place = error.filename2 if full and error.filename2 else error.filename  # the second one is what is written
    what = os.strerror(error.errno) if error.errno else str(error)  # libraries have words of their own for it
    return f"{f'{place}: ' if place else ''}{what}.{' Make room, or choose another folder.' if full else ''}"


def _say(text: str) -> None:
    tell(printable(text))
