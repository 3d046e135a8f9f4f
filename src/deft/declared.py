"""What a class of settings declares, read from its source: importing it would take the seconds that torch takes."""

from __future__ import annotations

import ast
import builtins
import operator
import sys
from collections.abc import Mapping
from functools import cache, reduce
from itertools import chain
from pathlib import Path
from typing import Any, Literal

_PLAIN = {name: getattr(builtins, name) for name in ("bool", "float", "int", "str")}


def declared_names(home: str) -> frozenset[str]:
    """Return the names of a class's fields, and of the methods that its own body declares.

    Args:
        home: `module:class`, as the tables of detectors and methods hold them.

    Example:
        >>> "warmup" in declared_names("deft.methods.gce:GCE")
        True
    """
    body = _class(home).body
    methods = (node.name for node in body if isinstance(node, ast.FunctionDef))
    return frozenset([*_fields(home), *methods])


def declared_types(home: str, chosen: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the type of every setting that can be typed, by its dotted key, as `setting_types` does of a value.

    Args:
        home: `module:class` of a frozen dataclass.
        chosen: Class of a field whose type is abstract, `module:class` by the field's name; its default if not given.

    Example:
        >>> declared_types("deft.methods.gce:GCE")
        {'q': <class 'float'>, 'warmup': <class 'int'>}
    """
    found: dict[str, Any] = {}
    for name, (module, node) in _fields(home).items():
        inner = (chosen or {}).get(name) or _class_of(node.annotation, module)
        if inner is None:
            hint = _type(node.annotation, module)
            found |= {} if hint is None else {name: hint}
            continue
        if not _is_frozen_value(inner):
            inner = _class_of(node.value.func, module) if isinstance(node.value, ast.Call) else None
        if inner is not None:
            found |= {f"{name}.{key}": hint for key, hint in declared_types(inner).items()}
    return found


def declared_default(home: str, method: str, parameter: str) -> str | None:
    """Return the class of the value that a parameter of a method has by default; None if it isn't one of ours.

    Args:
        home: `module:class`.
        method: Name of a method that the class's own body declares.
        parameter: Name of a keyword-only parameter.

    Example:
        >>> declared_default("deft.detectors.deft:DeFT", "paper", "tuning")
        'deft.tuning.vpt:VPT'
    """
    module = _home(home).partition(":")[0]
    found = next(node for node in _class(home).body if isinstance(node, ast.FunctionDef) and node.name == method)
    defaults = zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)
    value = next((value for argument, value in defaults if argument.arg == parameter), None)
    return _class_of(value.func, module) if isinstance(value, ast.Call) else None


def _fields(home: str) -> dict[str, tuple[str, ast.AnnAssign]]:
    """Return the fields of a dataclass in their order, those of its bases first, each with the module it stands in."""
    module = _home(home).partition(":")[0]
    bases = (_class_of(base, module) for base in _class(home).bases)
    found = dict(chain.from_iterable(_fields(base).items() for base in bases if base is not None))
    nodes = [node for node in _class(home).body if isinstance(node, ast.AnnAssign)]
    return found | {node.target.id: (module, node) for node in nodes if isinstance(node.target, ast.Name)}


def _home(home: str) -> str:
    """Return `module:class` with the module that defines the class, not one that only imports it."""
    where, _ = _resolved(*home.split(":"))
    return f"{where}:{home.partition(':')[2]}"


def _class(home: str) -> ast.ClassDef:
    _, found = _resolved(*home.split(":"))
    assert isinstance(found, ast.ClassDef)  # the tables name classes that there are
    return found


def _is_frozen_value(home: str) -> bool:
    decorators = [node.func if isinstance(node, ast.Call) else node for node in _class(home).decorator_list]
    return any(isinstance(node, ast.Name) and node.id == "dataclass" for node in decorators)


def _class_of(node: ast.expr, module: str) -> str | None:
    """Return `module:class` of the class of ours that an expression names; None if it names none."""
    if not isinstance(node, ast.Name) or node.id in _PLAIN:
        return None
    where, found = _resolved(module, node.id)
    return f"{where}:{found.name}" if isinstance(found, ast.ClassDef) else None


def _type(node: ast.expr, module: str) -> Any:
    """Return the type that an annotation says; None for types that can't be typed."""
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, ast.Name):
        if node.id in _PLAIN:
            return _PLAIN[node.id]
        where, found = _resolved(module, node.id)
        return _type(found.value, where) if isinstance(found, ast.Assign) else None
    if isinstance(node, ast.BinOp):
        parts = [_type(side, module) for side in (node.left, node.right)]
        return None if None in parts else reduce(operator.or_, parts)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Literal":
            return Literal[tuple(ast.literal_eval(item) for item in items)]
        if node.value.id == "tuple":
            inner = [... if ast.unparse(item) == "..." else _type(item, module) for item in items]
            return None if None in inner else tuple[tuple(inner)]  # type: ignore[misc]
    return None


def _resolved(module: str, name: str) -> tuple[str, ast.stmt | None]:
    """Return the module of ours that defines a name, and its statement there; None if it isn't ours."""
    found = _statement(module, name)
    if not isinstance(found, ast.ImportFrom):
        return module, found
    if found.module is None or not found.module.startswith("deft."):
        return module, None
    original = next(alias.name for alias in found.names if (alias.asname or alias.name) == name)
    return _resolved(found.module, original)


def _statement(module: str, name: str) -> ast.stmt | None:
    """Return the statement at a module's top that defines or imports a name."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return node
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            return node
    return None


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text(encoding="utf-8"))


def _file(module: str) -> Path:
    """Return a module's file; finding it the usual way would import the packages around it."""
    package, _, name = module.rpartition(".")
    around = sys.modules.get(package)
    if around is not None:
        folders = [Path(place) for place in around.__path__]
    else:
        folders = [_file(package).parent] if package else [Path(place) for place in sys.path]
    places = (place for folder in folders for place in (folder / f"{name}.py", folder / name / "__init__.py"))
    return next(place for place in places if place.is_file())
