"""Writes docs/cli.md from the commands' own --help; a test fails when the page is stale.

python scripts/cli_docs.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from deft.cli.app import app

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"


def page() -> str:
    """The page's text."""
    group = typer.main.get_command(app)
    assert hasattr(group, "commands")
    parts = ["# Command line", "", "Made from `--help` by `python scripts/cli_docs.py`.", "", _exit_codes(), ""]
    for name, command in group.commands.items():
        parts += [f"## deft {name}", "", (command.help or "").strip(), "", *_example(command), *_options(command), ""]
    return "\n".join(parts)


def _example(command: Any) -> list[str]:
    return [f"`{command.epilog.removeprefix('Example: ')}`", ""]


def _exit_codes() -> str:
    return (
        "Exit codes: 0 done; 2 usage or data; 3 more labels flagged than `--fail-on-issues` allows; 130 stopped by\n"
        "Ctrl-C, 143 by SIGTERM, 129 by SIGHUP. Data goes to standard out, progress to standard error; where a reader\n"
        "of them goes away, as `head` does, the command goes on to its end."
    )


def _options(command: Any) -> list[str]:
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for option in command.params:
        if "--help" in option.opts:
            continue
        names = ", ".join(f"`{name}`" for name in option.opts) if option.opts[0].startswith("-") else f"`{option.name}`"
        shown = (
            ""
            if option.default is None or option.default is False or callable(option.default)
            else f"`{option.default}`"
        )
        rows.append(f"| {names} | {shown} | {str(getattr(option, 'help', '') or '').replace('|', '/')} |")
    return rows


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
