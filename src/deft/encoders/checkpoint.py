"""A checkpoint of transformers: two towers, the tokenizer and the pixels, from a hub id or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from deft.data.image_spec import ImageSpec
from deft.encoders.hub import preprocessor_settings, quiet, unreachable
from deft.errors import ModelError


def read_checkpoint(name: str) -> tuple[Any, Any, ImageSpec]:
    """Return the model, its tokenizer, and the pixels that it wants.

    Args:
        name: Hub id or folder.

    Raises:
        ModelError: It can't be found, reached or read.
    """
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
    return model, tokenizer, spec


def _read_spec(name: str, config: Any) -> ImageSpec:
    """Return the pixels that a checkpoint expects, from its preprocessor's own file."""
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
