"""Writes docs/api/ from the docstrings of the public names; a test fails when a page is stale.

python -m scripts.api_docs
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import Any

from scripts.docstrings import Docstring, parse

import deft

FOLDER = Path(__file__).parent.parent / "docs" / "api"
WIDTH = 120
ERRORS = ("DeftError", "DataError", "ConflictError", "ModelError", "SettingsError")


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Args:
        file: Its name, without ending.
        title: Its heading.
        lead: What it is about, one sentence.
        names: What it describes, in order.
    """

    file: str
    title: str
    lead: str
    names: tuple[str, ...]


PAGES = (
    Page(
        "images",
        "Images",
        "Labelled images, from wherever they are.",
        ("load_images", "find_images", "LabeledImages", "PixelRule", "ValueRange", "Preprocessing"),
    ),
    Page(
        "models",
        "Models",
        "Vision-language models and image classifiers to start from.",
        ("load_encoder", "load_vision_model", "DualEncoder"),
    ),
    Page(
        "detectors",
        "Detectors",
        "What judges labels; each is described at [detectors](../detectors.md).",
        (
            "Detector",
            "DeFT",
            "PromptSettings",
            "Recipe",
            "Stopping",
            "Stratified",
            "TrainedDeFT",
            "LabelMatch",
            "SmallLoss",
            "ConfidentLearning",
            "NeighbourVote",
            "AreaUnderMargin",
            "CLIPCleaner",
            "LEMoN",
            "FromProbabilities",
            "FromEmbeddings",
            "NoiseTransition",
            "estimate_transition",
        ),
    ),
    Page(
        "runs",
        "Runs",
        "What a detection says, what people decided about it, and what is made of both.",
        (
            *("Detection", "open_run", "review", "score_detection", "build_report"),
            *("Decisions", "Decision", "read_decisions", "plan_run", "write_export"),
        ),
    ),
    Page(
        "training",
        "Training",
        "A classifier from any backbone, on the labels that are believed.",
        (
            *("adapt", "fix_labels", "TrainingSet", "AdaptedModel", "Validation", "Optimization"),
            *("fit", "Training", "Workspace", "Processes", "Progress", "ProgressBar", "LoggedProgress", "TensorBoard"),
        ),
    ),
    Page(
        "methods",
        "Methods",
        "How a classifier learns from labels that may be wrong; each is described at [methods](../methods.md).",
        (
            *(
                "Method",
                "TrainingContext",
                "CE",
                "WeightedCE",
                "GCE",
                "TruncatedGCE",
                "SCE",
                "ELR",
                "GMM",
                "CoTeaching",
            ),
            *("RoLT", "UNICON", "LongReMix", "ProMix", "TURN"),
        ),
    ),
    Page(
        "tunings",
        "Tunings",
        "What of an image tower learns, chosen by type.",
        ("Tuning", "VPT", "LoRA", "Adapter", "Bias", "Layers", "Full", "Frozen"),
    ),
    Page("errors", "Errors", "Every error that deft raises on purpose; each is one sentence to act on.", ERRORS),
)


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    texts = {f"{page.file}.md": _page(page) for page in PAGES}
    return {"index.md": _index(), **texts}


def _index() -> str:
    parts = [
        "# Python reference",
        "",
        "Made from the docstrings by `python -m scripts.api_docs`. Everything here is a name of `deft` itself; what is",
        "not here may change with any release. Shapes are written (N, K): N images, K classes.",
        "",
    ]
    for page in PAGES:
        parts += [f"## [{page.title}]({page.file}.md)", "", page.lead, "", "| name | |", "|---|---|"]
        for name in page.names:
            parts.append(f"| [`{name}`]({page.file}.md#{name.lower()}) | {_cell(parse(getattr(deft, name)).summary)} |")
        parts.append("")
    return "\n".join(parts)


def _page(page: Page) -> str:
    parts = [f"# {page.title}", "", page.lead, "", "Made from the docstrings by `python -m scripts.api_docs`.", ""]
    for name in page.names:
        parts += [f"## {name}", "", *_entry(name, getattr(deft, name))]
    return "\n".join(parts)


def _entry(name: str, thing: Any) -> Iterator[str]:
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    if not is_error:
        yield from ("```python", _signature(f"deft.{name}", thing), "```", "")
    yield from _description(thing)
    if is_error:
        bases = [base for base in thing.__bases__ if base is not Exception]
        yield from ([f"A kind of {', '.join(f'`{base.__name__}`' for base in bases)}.", ""] if bases else [])
    elif inspect.isclass(thing):
        for member, value in members(thing):
            label = f"{name}.{member}"
            yield from (f"### {label}", "")
            if callable(value):
                yield from ("```python", _signature(label, value), "```", "")
            else:
                returned = inspect.signature(value.fget).return_annotation
                yield from (f"Property: `{returned}`.", "")
            yield from _description(value)


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that a class documents itself; what it inherits is told at its base."""
    for name, value in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(value, cached_property):
            value = property(value.func)
        if isinstance(value, property) and value.fget is not None and value.fget.__doc__:
            yield name, value
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function) and function.__doc__:
            yield name, getattr(kind, name)


def _signature(label: str, thing: Any) -> str:
    """Return the call, on one line if it fits, else with a line for each parameter."""
    if inspect.isabstract(thing):
        return f"class {label}  # abstract"
    signature = inspect.signature(thing)
    returns = signature.return_annotation
    tail = f" -> {returns}" if isinstance(returns, str) and not inspect.isclass(thing) else ""
    parts: list[str] = []
    star = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(_parameter(parameter))
    line = f"{label}({', '.join(parts)}){tail}"
    if len(line) <= 88:
        return line
    lines = (fill(f"{part},", WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8) for part in parts)
    return "\n".join([f"{label}(", *lines, f"){tail}"])


def _parameter(parameter: inspect.Parameter) -> str:
    stars = "*" * ((parameter.kind is parameter.VAR_POSITIONAL) + 2 * (parameter.kind is parameter.VAR_KEYWORD))
    name = stars + parameter.name
    annotation = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
    if parameter.default is parameter.empty:
        return f"{name}{annotation}"
    equals = " = " if annotation else "="
    return f"{name}{annotation}{equals}{_default(parameter.default)}"


def _default(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type):  # only what isn't a default of its own
        told = [one.name for one in fields(value) if one.repr and getattr(value, one.name) != one.default]
        return f"{type(value).__name__}({', '.join(f'{name}={getattr(value, name)!r}' for name in told)})"
    text = repr(value)
    return "..." if "<factory>" in text or " at 0x" in text else text


def _description(thing: Any) -> Iterator[str]:
    found = parse(thing)
    yield from (_wrapped(found.summary), "")
    if found.text:
        yield from (_as_markdown(found.text), "")
    yield from _citation(thing)
    yield from _items(found, "Args", "Arguments")
    yield from _items(found, "Attributes", "Attributes")
    for section in ("Returns", "Yields"):
        if section in found.sections:
            yield from (f"**{section}**", "", _wrapped(" ".join(found.sections[section].split())), "")
    yield from _items(found, "Raises", "Errors")
    if "Example" in found.sections:
        code = re.sub(r" *# doctest:.*", "", found.sections["Example"])
        yield from ("**Example**", "", "```pycon", code, "```", "")


def _citation(thing: Any) -> Iterator[str]:
    citation = getattr(thing, "citation", None)
    if isinstance(citation, str):
        yield from (_wrapped(f"Source: {citation}"), "")


def _items(found: Docstring, section: str, title: str) -> Iterator[str]:
    items = found.items.get(section, {})
    if items:
        yield from (f"**{title}**", "")
        yield from (_wrapped(f"- `{name}`: {meaning}", indent="  ") for name, meaning in items.items())
        yield ""


def _as_markdown(text: str) -> str:
    """Paragraphs wrapped anew; lists, tables and indented formulas as they are."""
    paragraphs = re.split(r"\n\n", text)
    return "\n\n".join(one if re.match(r"\s|[-|*>] ?", one) else _wrapped(" ".join(one.split())) for one in paragraphs)


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
