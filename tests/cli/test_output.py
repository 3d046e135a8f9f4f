"""Names come from strangers; what is printed of them is plain."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from deft.cli.output import plain, standard_output, table
from deft.cli.progress import Lines, choose_progress
from deft.files import strict_json
from deft.progress import Silent
from deft.wording import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Öl [bold]x[/bold].jpg", "Öl [bold]x[/bold].jpg"),
        ("a\x1b[2Jb\nc\td", "a\\x1b[2Jb\\nc\\td"),
        ("bad\udcffname", "bad\\udcffname"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
    ],
)
def test_control_characters_are_escaped_and_markup_is_not_read(text: str, shown: str) -> None:
    assert printable(text) == shown
    out = io.StringIO()
    console = Console(file=out, width=200)
    console.print(plain(text))
    console.print(table("t", ["file"], [(text,)]))
    assert out.getvalue().count(shown) == 2


def test_json_has_no_nan_and_is_ascii() -> None:
    text = strict_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"é\udcff": 1}})
    assert text.isascii()
    assert json.loads(text) == {"a": None, "b": [1.5, None], "c": {"é\udcff": 1}}


def test_off_a_terminal_a_path_in_a_table_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/photos/" + "of-the-spring/" * 20 + "n03445777_18974.jpeg"
    standard_output().print(table("Worst 1", ["file", "score"], [(path, 0.1)]))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("/photos")] == [f"{path}    0.1"]
    assert lines[0].rstrip() == "Worst 1"


def test_off_a_terminal_a_task_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Lines().track([1, 2, 3], "Reading")) == [1, 2, 3]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Reading (3 steps)\n"


def test_quiet_is_silent() -> None:
    assert isinstance(choose_progress(quiet=True), Silent)
