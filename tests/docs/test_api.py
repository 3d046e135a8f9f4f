"""The Python reference is the public docstrings, and these say what a reader needs."""

from __future__ import annotations

import doctest
import inspect
import logging
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripts.api_docs import PAGES, members, pages
from scripts.docstrings import Docstring, parse

import deft

ROOT = Path(__file__).parents[2]


def _things() -> Iterator[tuple[str, Any]]:
    for name in deft.__all__:
        if name == "__version__":
            continue
        thing = getattr(deft, name)
        yield name, thing
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            yield from ((f"{name}.{member}", value) for member, value in members(thing))


THINGS = dict(_things())


@pytest.mark.parametrize("file", [*pages()])
def test_the_page_is_fresh(file: str) -> None:
    found = (ROOT / "docs" / "api" / file).read_text(encoding="utf-8")
    assert found == pages()[file], "run: python -m scripts.api_docs"


def test_every_public_name_is_on_one_page() -> None:
    described = [name for page in PAGES for name in page.names]
    assert sorted(described) == sorted(set(deft.__all__) - {"__version__"})
    assert {path.name for path in (ROOT / "docs" / "api").iterdir()} == set(pages())


@pytest.mark.parametrize("name", THINGS)
def test_its_docstring_is_complete(name: str) -> None:
    assert [*_lacks(name, THINGS[name], parse(THINGS[name]))] == []


def test_what_a_docstring_lacks_is_seen() -> None:
    def bare(first: int, second: int) -> int:
        return first + second

    bare.__doc__ = "Add.\n\nArgs:\n    second: A number.\n"
    assert [*_lacks("bare", bare, parse(bare))] == ["arguments: first", "what it returns", "an example"]


@pytest.mark.parametrize("name", sorted(set(deft._HOMES.values())))
def test_the_examples_of_its_module_hold(name: str) -> None:
    module = import_module(name)
    names = {**vars(deft), **{public: getattr(deft, public) for public in deft.__all__}, **vars(module)}
    result = doctest.testmod(module, extraglobs={**names, "deft": deft, "logging": logging})
    assert result.failed == 0


def _lacks(name: str, thing: Any, found: Docstring) -> Iterator[str]:
    """What a reader would miss."""
    if not found.summary:
        yield "a docstring"
    if isinstance(thing, property) or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return
    signature = inspect.signature(thing)
    taken = [parameter for parameter in signature.parameters if parameter != "self"]
    told = [*found.items.get("Args", {})]
    if taken != told and not inspect.isabstract(thing):  # nobody calls the constructor of an abstract class
        wrong = sorted(set(taken) ^ set(told)) or ["their order"]
        yield f"arguments: {', '.join(wrong)}"
    if not inspect.isclass(thing) and not _says_what_it_returns(signature, found):
        yield "what it returns"
    if "." not in name and "Example" not in found.sections:
        yield "an example"


def _says_what_it_returns(signature: inspect.Signature, found: Docstring) -> bool:
    sections = {"Returns", "Yields"} & found.sections.keys()
    words = found.summary.startswith(("Return ", "Yield ", "Whether "))
    return signature.return_annotation in ("None", None) or bool(sections) or words
