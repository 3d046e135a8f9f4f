"""A vision-language model from its name: a hub id, a local folder or "tiny"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from deft.data.image_spec import ImageSpec
from deft.encoders.base import DualEncoder
from deft.encoders.hub import model_type, preprocessor_settings, quiet, unreachable
from deft.errors import ModelError, SettingsError

TINY = Path(__file__).parent / "tiny"
KNOWN_TYPES = ("clip", "siglip", "siglip2", "deft-hybrid")


def load_encoder(name: str | Path, *, device: str = "auto") -> DualEncoder:
    """Load a vision-language model, frozen, in float32 and evaluation mode.

    Args:
        name: "tiny" (ships inside the package), a local folder, or the hub id of any CLIP, SigLIP or SigLIP 2
            checkpoint, such as "openai/clip-vit-base-patch16".
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "mps", ...

    Returns:
        The model, on its device.

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
    kind = model_type(str(name), folder)
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


def _load_hugging_face(name: str, kind: str) -> DualEncoder:
    from transformers import AutoModel, AutoTokenizer

    from deft.encoders.clip import ClipEncoder
    from deft.encoders.siglip import SiglipEncoder

    try:
        with quiet():
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
    found = preprocessor_settings(name)
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
