"""The command line: one small file per command, each of which parses, calls the library and prints."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command `deft`."""
    # Threads that wait by spinning take the cores from whatever else runs: beside other jobs a step took four times as
    # long. It has to be said before torch is loaded, and who has said otherwise is obeyed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from deft.cli.app import run

    run()
