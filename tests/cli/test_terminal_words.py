"""In a terminal nothing breaks in mid-word, and a long path stays in one piece."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from deft.cli.output import plain, standard_output
out = standard_output()
out.print(plain("Weighed by what foretells held-out labels best, and then some more that needs a second line."))
out.print(plain("The page: /" + "x" * 100 + "/report.html"))
"""


REFUSED = """
import sys
from deft.cli import main
sys.argv = ["deft", "detect", "photos-that-are-nowhere-to-be-found-on-this-machine", "-o", "run"]
main()
"""


def printed(columns: int, script: str = SCRIPT, code: int = 0) -> str:
    """Return what a terminal of a width is given."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(columns), "TERM": "xterm"}
    around = {**os.environ, **size}
    with subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=around) as process:
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
    assert process.returncode == code
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


def test_an_error_breaks_between_words_too() -> None:
    assert printed(40, REFUSED, 2).splitlines() == [
        "deft: There is no file or folder",
        "photos-that-are-nowhere-to-be-found-on-this-machine",
        "(a data set of the Hugging Face Hub is",
        "called user/name).",
    ]


FIRST = """
import sys
from deft.cli import main, progress
class Heard(progress.Lines):
    def note(self, text):
        print(text, "after torch" if "torch" in sys.modules else "at once", file=sys.stderr)
progress.Lines = Heard
main()
"""


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["detect", "photos", "-o", "run"], "Finding images at once"),
        (["adapt", "photos", "--backbone", "tiny", "-o", "new"], "Finding images at once"),
        (["predict", "model", "nowhere"], "Loading the model at once"),
        (["evaluate", "model", "photos"], "Loading the model at once"),
    ],
)
def test_the_first_line_comes_before_the_seconds_that_libraries_take(
    tmp_path: Path, typed: list[str], line: str
) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    ran = subprocess.run(
        [sys.executable, "-c", FIRST, *typed], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stderr.splitlines()[0] == line
    assert ran.returncode == 2
