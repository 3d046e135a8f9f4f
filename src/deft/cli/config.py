"""`--config run.toml`: what was typed for a run, as a file that repeats it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from deft.errors import DataError, SettingsError
from deft.files import parse_json, replace_file

FILE = "run.toml"
OPTION = "--config"
CONFIGURED = frozenset(["detect", "adapt"])
"""Commands that take the option, and write the file into what they make."""

_PLACES = frozenset(["out", "resume", "quiet", "output_format", "config"])
"""Parameters that a run isn't repeated with: where it goes, and what is shown of it."""

_OF_THE_MACHINE = frozenset(["workers", "processes", "device", "fail-on-issues", "moved"])
"""Keys of the file that say where and how a run is computed, not what it is."""


def expanded(args: Sequence[str], params: Sequence[Any], command: str) -> list[str]:
    """Return what was typed, with what a file named by `--config` says before it, so that what was typed wins.

    Args:
        args: As they were typed, after the command's name.
        params: Parameters of the command.
        command: Its name.

    Raises:
        SettingsError: The file can't be read, or holds what the command doesn't know.
    """
    rest, path = _taken(args)
    if path is None:
        return list(args)
    known = {_key(param, params): param for param in params}
    stored = read(Path(path))
    unknown = [key for key in stored if key not in known]
    if unknown:
        raise SettingsError(
            f"{path} has {unknown[0]!r}, which deft {command} doesn't know. It knows: {', '.join(known)}."
        )
    arguments: list[str] = []
    options: list[str] = []
    typed = bool(rest) and not rest[0].startswith("-")
    for key, value in stored.items():
        param = known[key]
        if param.param_type_name == "argument":
            arguments += [] if typed else [str(value)]
        elif isinstance(value, bool):
            options += [_longest(param)] if value else []
        else:
            for one in value if isinstance(value, list) else [value]:
                options += [_longest(param), str(one)]
    return [*arguments, *options, *rest] if not typed else [rest[0], *options, *rest[1:]]


def read(path: Path) -> dict[str, Any]:
    """Return the settings of a file: one `key = value` a line, as TOML has it.

    Args:
        path: Of the file.

    Raises:
        SettingsError: There is none, or it isn't such a file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read as settings: {error}.") from error
    return _parsed(text, path)


def _parsed(text: str, path: Path | str) -> dict[str, Any]:
    """Return the settings of a file's text."""
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, equals, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            content = parse_json(value)  # what TOML and JSON write alike: texts in ", numbers, true, false, lists
        except ValueError:
            content = None
        if not equals or content is None or isinstance(content, dict):
            raise SettingsError(f'Line {number} of {path} isn\'t as in: epochs = 5, or: model = "tiny".')
        found[key.strip()] = content
    return found


def recipe(context: typer.Context) -> str:
    """Return the content of `run.toml`: what was typed for a run, a line for each option.

    Args:
        context: Context of the command.
    """
    from deft import __version__

    params = context.command.params
    lines = [f"# deft {__version__}; again, into another folder: deft {context.info_name} {OPTION} {FILE} -o FOLDER"]
    for param in params:
        source = context.get_parameter_source(str(param.name))
        value = context.params[str(param.name)] if source is not None and source.name == "COMMANDLINE" else None
        nothing = value is None or value is False or value in ([], ())
        if param.name not in _PLACES and not nothing:
            lines.append(f"{_key(param, params)} = {json.dumps(_plain(value), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def write(folder: Path, text: str) -> None:
    """Write what was typed for a run into its folder.

    Args:
        folder: Of the run.
        text: From `recipe`.
    """
    with replace_file(folder / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_repeats(folder: Path, text: str) -> None:
    """Refuse to go on with what another command has finished.

    Args:
        folder: A finished run or model, with its `run.toml`.
        text: What was typed now, from `recipe`.

    Raises:
        DataError: It was made with other options; those of the machine, such as `--workers`, may differ.
        SettingsError: Its file can't be read.
    """
    then, now = read(folder / FILE), _parsed(text, FILE)
    keys = [key for key in {**then, **now} if key not in _OF_THE_MACHINE and then.get(key) != now.get(key)]
    if keys:
        raise DataError(
            f"{folder} is finished, and was made with other options ({', '.join(keys)}; see its {FILE}). Choose "
            "another folder with -o."
        )


def _taken(args: Sequence[str]) -> tuple[list[str], str | None]:
    """Return what was typed without `--config` and its value, and the value."""
    rest: list[str] = []
    path: str | None = None
    after = iter(args)
    for arg in after:
        if arg == OPTION:
            path = next(after, None)
            if path is None:
                raise SettingsError(f"{OPTION} needs the name of a file.")
        elif arg.startswith(f"{OPTION}="):
            path = arg.partition("=")[2]
        else:
            rest.append(arg)
    return rest, path


def _key(param: Any, params: Sequence[Any]) -> str:
    """Return what a file calls a parameter: an option without its dashes, unless an argument has that name."""
    name = str(param.name)
    if param.param_type_name == "argument":
        return name
    option = _longest(param).lstrip("-")
    arguments = {str(one.name) for one in params if one.param_type_name == "argument"}
    return name if option in arguments else option


def _longest(param: Any) -> str:
    longest: str = max(param.opts, key=len)
    return longest


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | int | float):
        return value
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    return os.path.abspath(text) if os.path.exists(text) else text
