"""`deft bench` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deft.cli.app import app

runner = CliRunner()


def test_the_tables_are_listed() -> None:
    done = runner.invoke(app, ["bench", "list"])
    assert done.exit_code == 0
    assert "table1: Table 1: which labels are kept\n  rows: label-match, small-loss, deft\n" in done.output


def test_a_row_is_run_and_its_table_printed(tmp_path: Path) -> None:
    typed = ["bench", "peers", "--scale", "smoke", "--seeds", "2", "--only", "neighbours", "-o", str(tmp_path)]
    done = runner.invoke(app, [*typed, "--device", "cpu", "-q"])
    assert done.exit_code == 0, done.output
    assert "| 10-nearest-neighbour vote |" in done.output
    assert done.output.rstrip().endswith("deft bench peers --scale smoke")
    files = sorted((tmp_path / "smoke" / "peers").glob("*.json"))
    assert [file.stem for file in files] == [f"neighbours--squares-sym-0.3--seed{seed}" for seed in (0, 1)]
    command = json.loads(files[0].read_text(encoding="utf-8"))["command"]
    assert command == "deft bench peers --scale smoke --seeds 2 --only neighbours"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["table9"], "There is no table 'table9'"),
        (["table1", "--only", "magic"], "table1 has no row 'magic'"),
        (["table2", "--scale", "paper"], "cifar100 needs --data, a folder that holds it"),
        (["table2", "--data", "nowhere"], "There is no folder nowhere, which --data names."),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(tmp_path: Path, typed: list[str], message: str) -> None:
    done = runner.invoke(app, ["bench", *typed, "-o", str(tmp_path / "out"), "-q"])
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "out").exists()
