"""In a terminal nothing breaks in mid-word, and a long path stays in one piece."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
from deft.cli.output import plain, standard_output
out = standard_output()
out.print(plain("Weighed by what foretells held-out labels best, and then some more that needs a second line."))
out.print(plain("The page: /" + "x" * 100 + "/report.html"))
"""


def printed(columns: int) -> str:
    """Return what a terminal of a width is given."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, env={**os.environ, **size}) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # as Linux tells that the other side has ended
                break
            if not piece:
                break
            said += piece
    os.close(ours)
    assert process.returncode == 0
    return said.decode().replace("\r", "")


def test_lines_end_between_words_and_paths_are_whole() -> None:
    lines = printed(40).splitlines()
    sentence = "Weighed by what foretells held-out labels best, and then some more that needs a second line."
    assert [line.strip() for line in lines[:3]] == [
        "Weighed by what foretells held-out",
        "labels best, and then some more that",
        "needs a second line.",
    ]
    assert " ".join(line.strip() for line in lines[:3]) == sentence
    assert lines[-1].strip() == "/" + "x" * 100 + "/report.html"
