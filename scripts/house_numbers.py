"""Prints how large the pieces of the package are; tests/test_house.py holds the limits.

Command: python scripts/house_numbers.py [FOLDER]
Result:  modules and lines, median and 95th percentile of function lengths, the longest function, the most parameters.

The length of a function is its lines without its docstring; functions within it count too. Parameters are those
written in its signature, `self` and `cls` aside. The commands of the command line are left out of the parameters:
theirs are the options.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

PACKAGE = Path(__file__).parents[1] / "src" / "deft"


@dataclass(frozen=True)
class Function:
    """A function or method.

    Args:
        name: `module.py:Class.method`, the module relative to the package.
        lines: Its length.
        parameters: How many it takes.
        is_command: Whether typer makes a command of it.
    """

    name: str
    lines: int
    parameters: int
    is_command: bool


def modules(package: Path = PACKAGE) -> dict[str, int]:
    """Return the number of lines of every module, by its path within the package."""
    return {
        path.relative_to(package).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(package.rglob("*.py"))
    }


def functions(package: Path = PACKAGE) -> list[Function]:
    """Return every function of the package."""
    found: list[Function] = []
    for name in modules(package):
        tree = ast.parse((package / name).read_text(encoding="utf-8"))
        found.extend(_functions(tree, f"{name}:", is_cli=name.startswith("cli/")))
    return found


def report(package: Path = PACKAGE) -> str:
    """Return the numbers as text, one a line."""
    sizes, every = modules(package), functions(package)
    lengths = [function.lines for function in every]
    largest = max(sizes, key=sizes.__getitem__)
    longest = max(every, key=lambda function: function.lines)
    greediest = max((one for one in every if not one.is_command), key=lambda function: function.parameters)
    rows = [
        ("modules", f"{len(sizes)}, {sum(sizes.values())} lines"),
        ("median module", f"{median(sizes.values()):g} lines"),
        ("largest module", f"{sizes[largest]} lines ({largest})"),
        ("functions", f"{len(every)}"),
        ("median function", f"{median(lengths):g} lines"),
        ("95 % of functions", f"at most {quantiles(lengths, n=20, method='inclusive')[-1]:g} lines"),
        ("longest function", f"{longest.lines} lines ({longest.name})"),
        ("most parameters", f"{greediest.parameters} ({greediest.name})"),
    ]
    return "\n".join(f"{name:<18} {value}" for name, value in rows)


def _functions(node: ast.AST, prefix: str, *, is_cli: bool) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.", is_cli=is_cli)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            command = is_cli and isinstance(node, ast.Module) and _has_options(child)
            yield Function(f"{prefix}{child.name}", _length(child), _parameters(child), command)
            yield from _functions(child, f"{prefix}{child.name}.", is_cli=is_cli)
        else:
            yield from _functions(child, prefix, is_cli=is_cli)


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    start, end = function.lineno, function.end_lineno or function.lineno
    first = function.body[0]
    if ast.get_docstring(function) is None:
        return end - start + 1
    return end - start + 1 - ((first.end_lineno or first.lineno) - first.lineno + 1)


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return sum(argument.arg not in ("self", "cls") for argument in every)


def _has_options(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the signature is written in typer's words."""
    words = ("typer.Option", "typer.Argument", "Annotated", "Option")
    signature = ast.unparse(function.args)
    return any(word in signature for word in words)


if __name__ == "__main__":
    print(report(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE))
