"""Reaching a model: a folder, the cache or the Hugging Face hub, and what is said when none of them has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deft.errors import ModelError
from deft.files import parse_json


def model_type(name: str, folder: Path) -> str:
    """Return the type that a model's `config.json` states.

    Args:
        name: What the user called it.
        folder: Where it would lie if it is local.

    Raises:
        ModelError: There is no such model within reach, or its configuration can't be read.
    """
    if (folder / "config.json").is_file():
        path = folder / "config.json"
    elif folder.is_dir():
        raise ModelError(f"{name!r} is a folder without a config.json, so it holds no model.")
    else:
        path = from_hub(name, "config.json")
    try:
        return str(parse_json(path.read_text(encoding="utf-8")).get("model_type", "unknown"))
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a model's configuration: {error}") from error


def from_hub(name: str, file: str) -> Path:
    """Return a file of a model in the cache, fetched from the hub if need be.

    Raises:
        ModelError: It can't be had; the sentence says why and what else there is.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(hf_hub_download(name, file))
    except HFValidationError as error:
        raise ModelError(
            f"{name!r} is neither a local folder nor the id of a model on the hub. "
            "Give a folder, an id such as 'openai/clip-vit-base-patch16', or 'tiny'."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"The hub has no model {name!r} (or it is private and you aren't logged in).") from error
    except Exception as error:  # the hub client raises a different class for each way a network can fail
        raise unreachable(name) from error


def unreachable(name: str) -> ModelError:
    """Return the error for a model that is neither on this machine nor within reach."""
    return ModelError(
        f"The weights of {name!r} are not on this machine and the Hugging Face hub can't be reached. "
        "Use the model 'tiny' (ships with deft, works offline), give a local folder, or run once with a network."
    )


def preprocessor_settings(name: str) -> dict[str, Any]:
    """Return what a model's own file says about its pixels; empty if it has none."""
    for file in ("preprocessor_config.json", "processor_config.json"):
        path = Path(name) / file
        if not Path(name).is_dir():
            try:
                path = from_hub(name, file)
            except ModelError:
                continue
        if path.is_file():
            try:
                content = parse_json(path.read_text(encoding="utf-8"))
                return dict(content.get("image_processor", content))
            except (ValueError, TypeError, AttributeError) as error:
                raise ModelError(f"{path} can't be read as the settings of a model's pixels: {error}.") from error
    return {}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' own progress bars and advice off the screen while a model loads or is written."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
