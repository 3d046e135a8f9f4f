"""One file of results for each experiment, and whether one that is there still holds."""

from __future__ import annotations

import ast
import json
import math
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import deft
from deft.bench.experiment import Experiment
from deft.errors import DataError
from deft.files import parse_json, replace_file

WITHOUT_EFFECT = frozenset(["cli", "export", "report", "review"])
"""Rooms that no result depends on."""
HOME = Path(deft.__file__).parent


@dataclass(frozen=True)
class Code:
    """The code that makes results."""

    @cached_property
    def version(self) -> str:
        """A short hash of what the code does: without comments and docstrings, with the bundled model's weights."""
        digest = blake2b(digest_size=6)
        for path in sorted(HOME.rglob("*.py")):
            room = path.relative_to(HOME).parts[0]
            if room not in WITHOUT_EFFECT:
                digest.update(path.relative_to(HOME).as_posix().encode())
                digest.update(_told(path.read_text(encoding="utf-8")).encode())
        for path in sorted((HOME / "encoders" / "tiny").glob("*.safetensors")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @cached_property
    def commit(self) -> str | None:
        """The commit of the sources, with a + where they were changed since; None for an installed wheel."""
        ours = _git("ls-files", "--error-unmatch", "__init__.py")  # not the repository of whoever installed it
        return None if ours is None else _git("describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+")


def result_path(folder: Path, experiment: Experiment) -> Path:
    """Return where the result of an experiment lies.

    Args:
        folder: Of all results.
        experiment: Whose it is.
    """
    return folder / experiment.scale / experiment.table / f"{experiment.name}.json"


def kept_result(path: Path, experiment: Experiment, code: Code) -> tuple[dict[str, Any] | None, str | None]:
    """Return the result of an experiment if it is there and still holds; otherwise why it doesn't.

    Args:
        path: Where it lies.
        experiment: As it would be run now.
        code: That would run it.

    Returns:
        The result or None; and a word on why it doesn't hold, None where there is none or it does.

    Raises:
        DataError: The file is no result.
    """
    if not path.is_file():
        return None, None
    result = read_result(path)
    if result["settings"] != json.loads(json.dumps(experiment.settings)):
        return None, "other settings"
    if result["code"] != code.version:
        return None, "other code"
    return result, None


def read_result(path: Path) -> dict[str, Any]:
    """Return a result.

    Raises:
        DataError: The file is no result.
    """
    try:
        result: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no result of deft bench: {error}.") from error
    lacking = [name for name in ("table", "row", "column", "seed", "settings", "code", "metrics") if name not in result]
    if lacking:
        raise DataError(f"{path} is no result of deft bench: it has no {lacking[0]!r}.")
    return result


def read_results(folder: Path, table: str, scale: str) -> list[dict[str, Any]]:
    """Return all results of a table at a scale, by their names.

    Args:
        folder: Of all results.
        table: Name of the table.
        scale: How large the experiments were.
    """
    return [read_result(path) for path in sorted((folder / scale / table).glob("*.json"))]


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result; numbers that are undefined become null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(_plain(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _told(source: str) -> str:
    """Return what a module does, as text that comments, docstrings and layout don't change."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return _spelled(tree)


def _spelled(node: Any) -> str:
    """Return a syntax tree as text that is the same under every Python.

    `ast.dump` isn't: newer versions have more fields, empty ones as a rule, and print or leave out empty ones.
    `ast.unparse` isn't either: it quotes strings within strings otherwise since Python 3.12.
    """
    if isinstance(node, ast.AST):
        filled = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({', '.join(f'{name}={_spelled(value)}' for name, value in filled)})"
    return f"[{', '.join(map(_spelled, node))}]" if isinstance(node, list) else repr(node)


def _git(*asked: str) -> str | None:
    """Return what git says of the package's folder; None where it says nothing."""
    try:
        done = subprocess.run(["git", "-C", str(HOME), *asked], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
