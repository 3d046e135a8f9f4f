"""Several processes of `deft bench` beside each other: each has a folder of its own, and nothing is encoded twice."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deft.bench.experiment import Library
from deft.bench.harness import Bench
from deft.bench.places import own_folder

HOLD = """
import sys
from pathlib import Path
from deft.runs.lock import only_writer

with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process_in(folder: Path) -> Iterator[None]:
    """Let another process work in a folder."""
    typed = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(typed, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.communicate("")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """The folder of the squares, which another process works in."""
    folder = tmp_path / "work" / "smoke" / "squares"
    with another_process_in(folder):
        yield folder


def test_the_first_that_is_free_is_taken(held: Path) -> None:
    with own_folder(held) as folder:
        assert folder == held.with_name("squares-2")
    with own_folder(held.with_name("others")) as folder:
        assert folder == held.with_name("others")


def test_what_others_have_computed_is_linked_and_what_is_of_other_data_is_not(held: Path) -> None:
    for name in ("squares", "squares-3", "squares10"):
        (held.with_name(name)).mkdir(exist_ok=True)
        (held.with_name(name) / f"pixels-{len(name):024x}.u8").write_bytes(b"decoded")
    with own_folder(held) as folder:
        names = {path.name for path in folder.iterdir() if path.name.startswith("pixels")}
        assert names == {f"pixels-{7:024x}.u8", f"pixels-{9:024x}.u8"}


def test_a_process_beside_another_one_encodes_nothing_again(tmp_path: Path) -> None:
    table, work = Library().table("table1"), tmp_path / "work" / "smoke"
    Bench(tmp_path, device="cpu").run(table, "smoke", seeds=1, only="label-match")
    with another_process_in(work / "squares"):
        Bench(tmp_path, device="cpu").run(table, "smoke", seeds=2, only="label-match")
    assert len(list((tmp_path / "smoke" / "table1").glob("label-match--*.json"))) == 2
    for pattern in ("outputs-*.npy", "pixels-*.u8"):
        (own,) = (work / "squares-2").glob(pattern)
        assert own.samefile(work / "squares" / own.name)
