"""Python is told of arguments, the command line of options, and one place knows both."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

import deft
from deft.cli.app import app
from deft.cli.own_words import OPTIONS, in_options, why_refused

COMMANDS_OF_PAGES = {
    Path("bench/tables.py"),  # the command that prints a table again stands under it
    Path("bench/results.py"),  # arguments of git
    Path("bench/harness.py"),  # the command that makes a result, which its file names
    Path("reviewing/desk.py"),  # the review page names the command of the next round
    Path("report/names.py"),  # a page, which names the command
    Path("adaptation/model_card.py"),
    Path("bench/experiment.py"),  # names of files
    Path("data/published.py"),
}
"""Modules that write out whole commands, which isn't a word about the caller's own arguments."""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Name one with label_column=.", "Name one with --label-col."),
        ("choose with label_column=, not labels=.", "choose with --label-col, not --labels."),
        ("(max_pixels=)", "(--max-pixels)"),
        ("There is no folder /photos/labels=.", "There is no folder /photos/labels=."),
        ("The file 'words= ' is empty.", "The file 'words= ' is empty."),
        ("labels=3 is no table", "labels=3 is no table"),
    ],
)
def test_names_of_arguments_become_options_and_the_rest_stays(said: str, shown: str) -> None:
    assert in_options(said) == shown


@pytest.mark.parametrize(
    ("refused", "meant"),
    [
        ("'hff' is not one of 'imagefolder', 'csv', 'hf'.", " Did you mean hf?"),
        ("'pairflip' is not one of 'symmetric', 'pair-flip', 'asymmetric'.", " Did you mean pair-flip?"),
        ("'nothing like it' is not one of 'symmetric', 'pair-flip'.", ""),
        ("It must be positive.", ""),
    ],
)
def test_of_choices_the_one_that_was_probably_meant_is_named(refused: str, meant: str) -> None:
    assert why_refused(typer.BadParameter(f"Value error, {refused}")) == f"{refused}{meant}"


def test_every_option_that_a_sentence_may_be_turned_into_exists() -> None:
    group = typer.main.get_command(app)
    there = {name for command in group.commands.values() for param in command.params for name in param.opts}  # type: ignore[attr-defined]
    assert set(OPTIONS.values()) - there == set()


def literals(path: Path) -> list[str]:
    """Return the texts of a module that may be printed: all but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
    return [node.value for node in texts if isinstance(node.value, str)]


def test_the_library_never_names_an_option() -> None:
    root = Path(deft.__file__).parent
    modules = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in ("cli", "__main__.py")]
    assert len(modules) > 200
    named = {
        f"{path.relative_to(root)}: {text}"
        for path in modules
        if path.relative_to(root) not in COMMANDS_OF_PAGES
        for text in literals(path)
        if re.search(r"(?<![\w-])--[a-z]{2,}", text)
    }
    assert named == set()


def test_a_column_that_is_not_there_is_named_in_the_callers_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file_name,species\na.png,cat\n", encoding="utf-8")
    with pytest.raises(deft.DataError, match=r"Name one with label_column=;"):
        deft.load_images(table)
    with pytest.raises(SystemExit) as left:
        app(["detect", str(table), "-o", str(tmp_path / "run"), "--model", "tiny"], prog_name="deft")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Name one with --label-col;" in said
    assert "label_column=" not in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--epochs", "two"], "'--epochs': a whole number is needed, not 'two'."),
        (["--epochs", "1e3"], "'--epochs': a whole number is needed, not '1e3'."),
        (["--epochs", "0"], "'--epochs': at least 1 is needed, not 0."),
        (["--lr", "fast"], "'--lr': a number is needed, not 'fast'."),
        (["--limit", "1"], "'--limit': at least 2 is needed, not 1."),
        (["--method", "foo"], "'--method': 'foo' is not one of 'deft', 'label-match',"),
        (["--format", "xml"], "'--format': 'xml' is not one of 'table', 'json'."),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words_of_ours(typed: list[str], said: str) -> None:
    shown = CliRunner().invoke(app, ["detect", "photos", "-o", "run", *typed], env={"COLUMNS": "200"}).output
    assert f"Invalid value for {said}" in shown
