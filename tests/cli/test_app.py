"""The command line's surface: options, exit codes, what it prints where, and that help costs nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from deft import __version__
from deft.cli import detect as detect_module
from deft.cli import main
from deft.cli.app import app
from deft.cli.detect import detect
from deft.errors import DataError

OPTIONS = {
    "detect": {
        "--batch-size", "--class-specific", "--classes", "--clean-col", "--config", "--context", "--data", "--detector",
        "--device", "--epochs", "--fail-on-issues", "--for-real-noise", "--for-weak-model", "--format", "--image-col",
        "--label-col", "--labels", "--length", "--limit", "--lr", "--max-pixels", "--max-seconds",
        "--method", "--model", "--noise-rate", "--out", "--paper", "--precision", "--processes", "--quiet", "--resume",
        "--safe-csv", "--sample", "--seed", "--set", "--split", "--tensorboard", "--tuning", "--verdict", "--warmup",
        "--with-reviews", "--words", "--workers",
    },
    "compare": {"--data", "--out", "--quiet"},
    "report": {"--data", "--limit", "--out", "--quiet"},
    "adapt": {
        "--backbone", "--batch-size", "--classes", "--config", "--data", "--device", "--epochs", "--fix", "--format",
        "--head", "--image-col", "--keep", "--label-col", "--labels", "--lr", "--max-pixels", "--max-seconds",
        "--method", "--noise-rate", "--out", "--precision", "--processes", "--quiet", "--resume", "--seed", "--set",
        "--split", "--tensorboard", "--tuning", "--validation", "--words", "--workers",
    },
    "score": {
        "--actors", "--classes", "--detector", "--device", "--engine", "--image-col", "--label-col", "--labels",
        "--max-pixels", "--max-seconds", "--method", "--model", "--part-size", "--quiet", "--sample", "--seed",
        "--split", "--words", "--workers",
    },
    "predict": {
        "--device", "--format", "--max-pixels", "--max-seconds", "--out", "--quiet", "--safe-csv", "--top",
        "--workers",
    },
    "evaluate": {
        "--classes", "--device", "--format", "--image-col", "--label-col", "--labels", "--max-pixels", "--max-seconds",
        "--out", "--quiet", "--split", "--workers",
    },
    "demo": {"--out", "--quiet"},
    "corrupt": {
        "--classes", "--image-col", "--include-self", "--label-col", "--labels", "--map", "--noise", "--out",
        "--quiet", "--rate", "--seed", "--split",
    },
    "doctor": {"--device"},
    "export": {
        "--as", "--data", "--fix", "--link", "--out", "--private", "--push", "--quiet", "--root", "--safe-csv", "--to",
        "--use",
    },
    "apply": {
        "--classes", "--image-col", "--label-col", "--labels", "--out", "--quiet", "--reverse", "--split",
    },
    "bench": {"--data", "--device", "--only", "--out", "--quiet", "--scale", "--seeds"},
    "review": {"--data", "--host", "--no-browser", "--port", "--reviewer"},
}  # fmt: skip
"""Every option of every command. A change here is a change of what users rely on: say so in the changelog."""

runner = CliRunner()


def test_the_commands_have_exactly_these_options() -> None:
    group = typer.main.get_command(app)
    found = {
        name: {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    assert found == OPTIONS


@pytest.mark.parametrize("command", [[], *([name] for name in OPTIONS)])
def test_help_answers(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


@pytest.mark.parametrize("command", [[], *([name] for name in OPTIONS)])
def test_help_names_no_type_where_there_is_nothing_to_choose(command: list[str]) -> None:
    text = runner.invoke(app, [*command, "--help"]).stdout
    assert not {kind for kind in ("<bool>", "<str>", "<int", "<float", "<path>") if kind in text}


@pytest.mark.parametrize("command", list(OPTIONS))
def test_help_breaks_no_choice_in_mid_word_at_80_columns(command: str) -> None:
    text = runner.invoke(app, [command, "--help"], env={"COLUMNS": "80"}).stdout
    words = set(re.findall(r"[\w/-]+", text))
    group = typer.main.get_command(app)
    for param in group.commands[command].params:  # type: ignore[attr-defined]
        choices = {str(one) for one in param.type_descriptor.choices or ()}
        assert choices <= words, f"{param.opts} breaks {choices - words}"
    assert "…" not in text  # a default that is cut
    assert not re.search(r"x<=\d{6,}", text)  # a bound that nobody meets


@pytest.mark.parametrize("command", list(OPTIONS))
def test_help_shows_how_a_command_is_typed(command: str) -> None:
    text = runner.invoke(app, [command, "--help"], env={"COLUMNS": "80"}).stdout
    usage = next(line for line in text.splitlines() if "Usage:" in line)
    assert "{" not in usage  # as if braces had to be typed
    example = re.search(r"Example: deft (.*)", text)
    assert example is not None
    typed = shlex.split(example[1])
    group = typer.main.get_command(app)
    with group.commands[command].make_context(typed[0], typed[1:]) as context:  # type: ignore[attr-defined]
        assert typed[0] == command
        assert context.params


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "deft", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"deft {__version__}\n"


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"deft {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['deft', 'detect', '--help']\n"
        "from deft.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'sklearn', 'PIL', 'datasets'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["detect"],
        ["detect", "photos", "-o", "run", "--method", "magic"],
        ["detect", "photos", "-o", "run", "--epochs", "0"],
        ["detect", "photos", "-o", "run", "--fail-on-issues", "7"],
        ["detect", "photos", "-o", "run", "--noise-rate", "0.2"],
        ["detect", "photos", "-o", "run", "--method", "label-match", "--epochs", "3"],
        ["detect", "photos", "-o", "run", "--tuning", "lora", "--length", "3"],
        ["detect", "no/such/place", "-o", "run"],
    ],
)
def test_what_a_user_can_mend_is_exit_2_with_a_sentence(
    arguments: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "", "-o", "run"], "Argument 1 is empty"),
        (["detect", "photos", "-o", ""], "-o is empty"),
        (["detect", "photos", "-o", "run", "--label-col", " "], "--label-col is empty"),
        (["detect", "photos", "-o", "run", "--label-col="], "--label-col is empty"),
        (["evaluate", "", "photos"], "Argument 1 is empty"),
        (["review", ""], "Argument 1 is empty"),
    ],
)
def test_an_empty_argument_is_refused(arguments: list[str], said: str) -> None:
    result = runner.invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"deft: {said}. Give it a value, or leave it out.\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", "-1"), ("--batch-size", "0"), ("--seed", "-1"), ("--seed", "4294967296"), ("--lr", "-0.1"),
        ("--lr", "nan"), ("--lr", "inf"), ("--limit", "1"), ("--workers", "-2"), ("--noise-rate", "1"),
        ("--noise-rate", "-0.1"), ("--warmup", "-1"), ("--length", "0"), ("--context", "0"), ("--device", "cdua"),
        ("--fail-on-issues", "1.5"), ("--precision", "float8"),
    ],
)  # fmt: skip
def test_values_out_of_their_bounds_are_refused(
    option: str, value: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    result = runner.invoke(app, ["detect", ".", "-o", "run", option, value])
    assert (result.exit_code, result.stdout) == (2, "")
    assert option in result.stderr or value in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["detect", "no/such/place", "-o", "run"],
        ["detect", ".", "-o", "run", "--labels", "no.csv"],
        ["detect", ".", "-o", "run", "--classes", "no.txt"],
        ["detect", ".", "-o", "run", "--method", "small-loss", "--context", "3"],
        ["detect", ".", "-o", "run", "--device", "cdua"],
        ["detect", ".", "-o", "run", "--set", "epochs"],
        ["detect", ".", "-o", "run", "--set", "epoch=5"],
        ["detect", ".", "-o", "run", "--set", "epochs=five"],
        ["detect", ".", "-o", "run", "--set", "recipe.verdict=negativ"],
        ["detect", ".", "-o", "run", "--set", "tuning.length=5"],
        ["detect", ".", "-o", "run", "--paper", "--set", "tuning.lenght=5"],
        ["detect", ".", "-o", "run", "--method", "small-loss", "--set", "prompts.length=5"],
        ["detect", ".", "-o", "run", "--method", "small-los"],
        ["detect", ".", "-o", "run", "--tuning", "vtp"],
        ["detect", ".", "-o", "run", "--lr", "fast"],
        ["detect", ".", "-o", "run", "--model", "./no-model"],
        ["detect", ".", "-o", "run", "--model", "."],
        ["detect", ".", "-o", "run", "--detector", "."],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--method", "gc"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--method", "gce", "--set", "p=0.7"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--method", "gce", "--set", "q=many"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--set", "optimization.momentun=0.8"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--fix", "weigh", "--method", "elr"],
        ["adapt", ".", "-o", "model", "--backbone", "no/such/model"],
        ["export", "no-run", "--to", "x"],
        ["report", "no-run"],
        ["review", "no-run"],
        ["apply", "no-patch", ".", "-o", "x.csv"],
        ["corrupt", ".", "-o", "x.csv", "--noise", "symetric"],
        ["adapt", "no/such/place", "-o", "model", "--backbone", "tiny"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--validation", "1.5"],
        ["adapt", ".", "-o", "model", "--backbone", "tiny", "--validation", "no.csv"],
        ["evaluate", "model", "no/such/place"],
        ["predict", "model", "."],
        ["corrupt", "no/such/place", "-o", "x.csv"],
    ],
)
def test_a_slip_is_answered_before_torch_is_loaded(arguments: list[str], tmp_path: object) -> None:
    code = (
        f"import sys; sys.argv = ['deft', *{arguments!r}]\n"
        "from deft.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert left.code == 2, left.code\n"
        "sys.exit('torch was loaded' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def _stub(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(detect_module, "check_run", fail)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DataError("bad \x1b[31mname\n[bold]x"), 2, "deft: bad \\x1b[31mname\\n[bold]x"),
        (PermissionError(13, "Permission denied", "run/x"), 2, "deft: run/x: Permission denied."),
        (
            OSError(28, "No space left on device"),
            2,
            "deft: No space left on device. Make room, or choose another folder.",
        ),
        (  # a copy that finds no room is no fault of what is copied
            OSError(28, "No space left on device", "photos/1.jpg", None, "copy/1.jpg"),
            2,
            "deft: copy/1.jpg: No space left on device. Make room, or choose another folder.",
        ),
        (  # as pyarrow says it
            OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
            2,
            "deft: No space left on device. Make room, or choose another folder.",
        ),
        (KeyboardInterrupt(), 130, "Stopped. Resume with: deft detect 'my photos' -o run --resume"),
    ],
)
def test_errors_become_one_sentence(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stub(monkeypatch, error)
    result = runner.invoke(app, ["detect", "my photos", "-o", "run"])
    assert result.exit_code == code
    assert result.stderr.strip() == text
    assert result.stdout == ""


def test_a_scoring_that_was_stopped_goes_on_with_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deft.cli.score.check_outside", stop)
    result = runner.invoke(app, ["score", "my photos", "out", "--method", "label-match"])
    assert result.exit_code == 130
    again = "deft score 'my photos' out --method label-match"
    assert result.stderr.strip() == f"Stopped. What is done is kept; go on with: {again}"


class OutOfMemoryError(RuntimeError):
    """As PyTorch's, which can't be raised without a GPU."""


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_full_accelerator_is_one_sentence(error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
    _stub(monkeypatch, error)
    result = runner.invoke(app, ["detect", "photos", "-o", "run"])
    assert result.exit_code == 2
    assert result.stderr.strip() == (
        "deft: The accelerator's memory is too small for this. Try a smaller --batch-size, or --device cpu."
    )


def test_a_command_without_batches_is_not_told_to_make_them_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(device: str) -> None:
        raise OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("deft.cli.doctor.check_numerics", fail)
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert result.stderr.strip() == "deft: The accelerator's memory is too small for this. Try --device cpu."


def test_other_faults_of_an_accelerator_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _stub(monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    assert isinstance(runner.invoke(app, ["detect", "photos", "-o", "run"]).exception, RuntimeError)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _stub(monkeypatch, ZeroDivisionError("ours"))
    result = runner.invoke(app, ["detect", "photos", "-o", "run"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_commands_are_documented() -> None:
    assert detect.__doc__
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert all(len(command.help) > 30 for command in commands.values())


@pytest.mark.parametrize(("said", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_leave_the_cores_to_others(
    said: str | None, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = []
    monkeypatch.setenv("OMP_WAIT_POLICY", said or "")
    if said is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr("deft.cli.app.run", lambda: found.append(os.environ.get("OMP_WAIT_POLICY")))
    main()
    assert found == [policy]
