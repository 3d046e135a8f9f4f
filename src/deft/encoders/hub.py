"""Reaching a model: a folder, the cache or the Hugging Face hub, and what is said when none of them has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deft.errors import ModelError
from deft.files import parse_json

PREFIXES = ("hf-hub:", "hf_hub:")
"""What open_clip and timm write before the ids of models on the hub."""

TIMM = "timm_wrapper"
"""What transformers calls a model of timm, whose own configurations name no type."""

OPEN_CLIP = "open_clip_config.json"
_NO_CLIP = (
    "{} is in open_clip's own form (open_clip_config.json), which deft doesn't read. Take a model with a config.json "
    "of transformers, such as laion/CLIP-ViT-B-32-laion2B-s34B-b79K or google/siglip2-base-patch16-224, or convert it."
)
_TIMM = (
    "{} is an image classifier of timm ({}), which transformers reads only where timm is installed: pip install timm. "
    "Or take one in the form of transformers, such as facebook/convnextv2-tiny-22k-224."
)


def hub_id(name: str) -> str:
    """Return the name of a model without what open_clip and timm write before it.

    Args:
        name: As the user wrote it.

    Example:
        >>> hub_id("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K")
        'laion/CLIP-ViT-B-32-laion2B-s34B-b79K'
    """
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def model_type(name: str, folder: Path) -> str:
    """Return the type that a model's `config.json` states.

    Args:
        name: What the user called it.
        folder: Where it would lie if it is local.

    Raises:
        ModelError: There is no such model within reach, its configuration can't be read, or it is in the form of
            another library.
    """
    if folder.is_dir():
        check_folder(name, folder)
        path = folder / "config.json"
    else:
        path = from_hub(name, "config.json")
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
        kind, architecture = str(config.get("model_type", "unknown")), config.get("architecture")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a model's configuration: {error}") from error
    if kind not in ("unknown", TIMM) or architecture is None:
        return kind
    if find_spec("timm") is None:
        raise ModelError(_TIMM.format(repr(name), str(architecture)[:80]))
    return TIMM


def check_folder(name: str, folder: Path) -> None:
    """Refuse a folder that holds no model, or one in the form of another library.

    Args:
        name: What the user called it.
        folder: It is there.

    Raises:
        ModelError: It has no `config.json`.
    """
    if (folder / "config.json").is_file():
        return
    if (folder / OPEN_CLIP).is_file():
        raise ModelError(_NO_CLIP.format(repr(name)))
    raise ModelError(f"{name!r} is a folder without a config.json, so it holds no model.")


def from_hub(name: str, file: str) -> Path:
    """Return a file of a model in the cache, fetched from the hub if need be.

    Raises:
        ModelError: It can't be had; the sentence says why and what else there is.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(hf_hub_download(name, file))
    except HFValidationError as error:
        raise ModelError(
            f"{name!r} is neither a local folder nor the id of a model on the hub. "
            "Give a folder, an id such as 'openai/clip-vit-base-patch16', or 'tiny'."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"The hub has no model {name!r} (or it is private and you aren't logged in).") from error
    except RemoteEntryNotFoundError as error:
        if file == "config.json" and _has(name, OPEN_CLIP):
            raise ModelError(_NO_CLIP.format(repr(name))) from error
        raise ModelError(f"The model {name!r} of the hub has no file {file}, so it can't be read.") from error
    except Exception as error:  # the hub client raises a different class for each way a network can fail
        raise unreachable(name) from error


def _has(name: str, file: str) -> bool:
    from huggingface_hub import hf_hub_download

    try:
        return bool(hf_hub_download(name, file))
    except Exception:  # for whatever reason: what is known is said without it
        return False


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
