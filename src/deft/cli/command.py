"""What every command does besides its work: it refuses empty arguments, and takes those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from deft.cli import config
from deft.cli.launch import share_work
from deft.cli.own_words import why_refused
from deft.errors import SettingsError

NARROW = 14  # letters that stand in the narrow column of a help of 80
FAR = 100_000  # a bound that only keeps numbers out that can't be meant


class Command(TyperCommand):
    """A command that refuses empty arguments, and whose help names a type only where there is something to choose."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        spell_out(self.params)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types that say nothing."""
        params = super().get_params(ctx)
        hide_types(params)
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed.

        Raises:
            SettingsError: An argument is empty, as an unset variable of a shell leaves it.
            BadParameter: A value isn't one of its option's.
        """
        refuse_empty(args)
        if self.name in config.CONFIGURED:
            args = config.expanded(args, self.params, str(self.name))
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = why_refused(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command, in several processes where that is asked for."""
        share_work(ctx, ctx.params.get("processes", 1))
        return super().invoke(ctx)


def hide_types(params: Sequence[Any]) -> None:
    """Show no type beside flags, which take no value, and beside arguments, whose name says what they are.

    Typer would write <bool> and <str> there.

    Args:
        params: Params of a command.
    """
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: None
            if param.required and param.nargs == 1:  # Typer would put braces around it, as if they had to be typed
                param._usage_display_name = lambda name=param.metavar: name


def spell_out(params: Sequence[Any]) -> None:
    """Name choices in the help's sentence, where lines break between words, and no bound that nobody meets.

    Typer would write <deft|label-match|small-l there, and [2<=x<=1000000000000].

    Args:
        params: Params of a command.
    """
    for param in params:
        choices = [str(one) for one in param.type_descriptor.choices or ()]
        if param.metavar is None and len("|".join(choices)) > NARROW:
            param.metavar = max(param.opts, key=len).lstrip("-").upper()
            if not all(one in param.help for one in choices):
                param.help = f"{param.help} One of {', '.join(choices)}."
        if (getattr(param, "max", None) or 0) >= FAR:
            param._get_number_range_help_str = lambda: None


def refuse_empty(args: Sequence[str]) -> None:
    """Refuse empty arguments: a path that is empty would mean the present folder.

    Args:
        args: As they were typed, after the command's name.

    Raises:
        SettingsError: One is empty.
    """
    for place, text in enumerate(args):
        option, _, value = text.partition("=")
        if option.startswith("--") and option != text and not value.strip():
            raise SettingsError(f"{option} is empty. Give it a value, or leave it out.")
        if text.strip():
            continue
        before = args[place - 1] if place else ""
        what = before if before.startswith("-") else f"Argument {place + 1}"
        raise SettingsError(f"{what} is empty. Give it a value, or leave it out.")
