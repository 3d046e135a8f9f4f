"""A vision-language model from its name: a hub id, a local folder or "tiny"."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from deft.data.spec import ImageSpec
from deft.encoders.base import DualEncoder
from deft.errors import ModelError, SettingsError

TINY = Path(__file__).parent / "tiny"
KNOWN_TYPES = ("clip", "siglip", "siglip2", "deft-hybrid")


def load_encoder(name: str | Path, *, device: str = "auto") -> DualEncoder:
    """Load a vision-language model, frozen, in float32 and evaluation mode.

    Args:
        name: "tiny" (ships inside the package), a local folder, or the hub id of any CLIP, SigLIP or SigLIP 2
            checkpoint, such as "openai/clip-vit-base-patch16".
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "mps", ...

    Raises:
        ModelError: The model can't be found, reached or read; the sentence says which and what else there is.
        SettingsError: There is no such device.

    Example:
        >>> encoder = load_encoder("tiny")
        >>> encoder.encode_texts(["a photo of a cat."]).shape
        torch.Size([1, 256])
    """
    place = choose_device(device)
    folder = TINY if str(name) == "tiny" else Path(name)
    kind = _model_type(str(name), folder)
    if kind == "deft-hybrid":
        from deft.encoders.hybrid import load_hybrid

        encoder: DualEncoder = load_hybrid(folder)
        encoder.name = str(name)
    elif kind in ("clip", "siglip", "siglip2"):
        encoder = _load_hugging_face(str(name), kind)
    else:
        raise ModelError(f"{str(name)!r} is a model of type {kind!r}. Known types: {', '.join(KNOWN_TYPES)}.")
    return encoder.float().eval().requires_grad_(False).to(place)


def choose_device(device: str) -> torch.device:
    """The device that a name stands for; "auto" takes an accelerator where there is one.

    Raises:
        SettingsError: There is no such device here.
    """
    if device == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator if accelerator is not None else torch.device("cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"There is no device {device!r} here: {reason}") from error
    return place


def _model_type(name: str, folder: Path) -> str:
    if (folder / "config.json").is_file():
        path = folder / "config.json"
    elif folder.is_dir():
        raise ModelError(f"{name!r} is a folder without a config.json, so it holds no model.")
    else:
        path = _from_hub(name, "config.json")
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("model_type", "unknown"))
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a model's configuration: {error}") from error


def _from_hub(name: str, file: str) -> Path:
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
    """The error of a model that is neither here nor within reach."""
    return ModelError(
        f"The weights of {name!r} are not on this machine and the Hugging Face hub can't be reached. "
        "Use --model tiny (ships with deft, works offline), give a local folder, or run once with a network."
    )


def _load_hugging_face(name: str, kind: str) -> DualEncoder:
    from transformers import AutoModel, AutoTokenizer

    from deft.encoders.clip import ClipEncoder
    from deft.encoders.siglip import SiglipEncoder

    try:
        with _quiet():
            model = AutoModel.from_pretrained(name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(name)
            spec = _read_spec(name, model.config)
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if not Path(name).is_dir():
            raise unreachable(name) from error
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"The model in {name!r} can't be read: {reason}") from error
    final = ClipEncoder if kind == "clip" else SiglipEncoder
    return final(model, tokenizer, spec, name)


def _read_spec(name: str, config: Any) -> ImageSpec:
    """The pixels a checkpoint wants, from its preprocessor's own file."""
    found = _preprocessor(name)
    clip = config.model_type == "clip"
    half = (0.5, 0.5, 0.5)
    mean = found.get("image_mean") or ((0.48145466, 0.4578275, 0.40821073) if clip else half)
    std = found.get("image_std") or ((0.26862954, 0.26130258, 0.27577711) if clip else half)
    size = getattr(config.vision_config, "image_size", None)
    if size is None:  # SigLIP 2 of variable resolution: its position grid is square
        size = round(config.vision_config.num_patches**0.5) * config.vision_config.patch_size
    return ImageSpec(
        size=int(size),
        mean=(float(mean[0]), float(mean[1]), float(mean[2])),
        std=(float(std[0]), float(std[1]), float(std[2])),
        fit="crop" if found.get("do_center_crop", clip) else "squash",
        interpolation="bilinear" if found.get("resample", 3) == 2 else "bicubic",
    )


def _preprocessor(name: str) -> dict[str, Any]:
    for file in ("preprocessor_config.json", "processor_config.json"):
        path = Path(name) / file
        if not Path(name).is_dir():
            try:
                path = _from_hub(name, file)
            except ModelError:
                continue
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            return dict(content.get("image_processor", content))
    return {}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' own progress bars and advice off the screen while a model loads."""
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
