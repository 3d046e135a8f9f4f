"""Run a command of deft many times, each time killed at another of its renames, and see what comes of it.

    python killed.py WORK POINTS COMMAND... [--then COMMAND...]

Every try works in a copy of the folder WORK, where `{out}` in a command stands for the folder `out` in that copy and
`{work}` for the copy. One whole run counts the renames; POINTS of them are chosen, evenly, and at each the process is
ended without a word, as by SIGKILL: once just before and once just after, turn by turn. Then the second command (the
first one if there is none) has to succeed. Prints the number of renames, and for each try what lay there when it was
killed and what lies there in the end: name to checksum. Processes are forks of this one, since starting PyTorch takes
longer than all they do.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

KILLED = 77


def in_fork(act: Callable[[], int]) -> int:
    """Do something in a fork of this process; how it ended."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            os._exit(act())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def renames(at: int, after: bool) -> list[str]:
    """Watch this process's renames, and end it at one of them; the names so far."""
    seen: list[str] = []

    def watched(rename: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, *rest: Any, **more: Any) -> None:
            seen.append(Path(target).name)
            if len(seen) == at and not after:
                os._exit(KILLED)
            rename(source, target, *rest, **more)
            if len(seen) == at:
                os._exit(KILLED)

        return call

    os.replace, os.rename, os.link = watched(os.replace), watched(os.rename), watched(os.link)
    return seen


def command(words: list[str], folder: Path) -> int:
    """Run a command in this process; its exit code."""
    from deft.cli.app import app

    typed = [word.format(out=folder / "out", work=folder) for word in words]
    try:
        app(typed, prog_name="deft", standalone_mode=True)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def contents(folder: Path) -> dict[str, str]:
    """Name to checksum of every file below a folder."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    return {str(one.relative_to(folder)): blake2b(one.read_bytes(), digest_size=8).hexdigest() for one in files}


def main(work: Path, points: int, first: list[str], then: list[str]) -> dict[str, Any]:
    """Count the renames, kill at each, and finish."""
    for module in ("deft.adaptation.adapt", "deft.detectors.deft", "deft.report.build", "deft.cli.app"):
        importlib.import_module(module)  # what a command imports, once for all forks

    names = work.parent / "renames.json"

    def whole() -> int:
        seen = renames(0, False)
        code = command(first, whole_folder)
        names.write_text(json.dumps(seen))
        return code

    whole_folder = work.parent / "whole"
    shutil.copytree(work, whole_folder)
    assert in_fork(whole) == 0
    seen = json.loads(names.read_text())
    tries = []
    for number in range(points):
        at, folder = 1 + number * len(seen) // points, work.parent / f"try-{number}"
        shutil.copytree(work, folder)

        def killed(at: int = at, after: bool = number % 2 == 1, folder: Path = folder) -> int:
            renames(at, after)
            return command(first, folder)

        ended = in_fork(killed)
        left = contents(folder)
        code = in_fork(lambda folder=folder: command(then, folder))  # type: ignore[misc]
        tries.append({"at": seen[at - 1], "ended": ended, "left": left, "code": code, "files": contents(folder)})
        shutil.rmtree(folder)
    return {"renames": seen, "whole": contents(whole_folder), "tries": tries}


if __name__ == "__main__":
    place, count, *words = sys.argv[1:]
    split = words.index("--then") if "--then" in words else len(words)
    found = main(Path(place), int(count), words[:split], words[split + 1 :] or words[:split])
    sys.stdout.write("\n" + json.dumps(found) + "\n")
