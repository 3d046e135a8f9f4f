"""The command line: one small file per command, each of which parses, calls the library and prints."""

from __future__ import annotations


def main() -> None:
    """Run the command `deft`."""
    from deft.cli.app import run

    run()
