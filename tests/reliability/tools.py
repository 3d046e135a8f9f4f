"""What the tests of reliability share."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from deft.cli.app import app

FAST = ("--epochs", "2", "--context", "4", "--device", "cpu")


def deft(*words: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(word) for word in words])


def one_sentence(result: Result, code: int = 2) -> str:
    """Return what a command said that ended as it should: without a traceback, on a few lines."""
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.stderr
