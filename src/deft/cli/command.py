"""What every command does besides its work: it refuses empty arguments, and takes those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from deft.cli import config
from deft.cli.launch import share_work
from deft.errors import SettingsError


class Command(TyperCommand):
    """A command that refuses empty arguments, and whose help names a type only where there is something to choose."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types that say nothing."""
        params = super().get_params(ctx)
        hide_types(params)
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed.

        Raises:
            SettingsError: An argument is empty, as an unset variable of a shell leaves it.
        """
        refuse_empty(args)
        if self.name in config.CONFIGURED:
            args = config.expanded(args, self.params, str(self.name))
        return super().parse_args(ctx, args)

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
