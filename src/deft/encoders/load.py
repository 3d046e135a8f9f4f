"""A vision-language model from its name: a hub id, a local folder or "tiny"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from deft.arguments import checked
from deft.encoders.base import DualEncoder
from deft.encoders.hub import hub_id, model_type
from deft.errors import ModelError, SettingsError
from deft.homes import at_home
from deft.network import at_once
from deft.training.processes import own_accelerator

TINY = Path(__file__).parent / "tiny"

ENCODERS: Mapping[str, str] = MappingProxyType(
    {
        "clip": "deft.encoders.clip:load_clip",
        "siglip": "deft.encoders.siglip:load_siglip",
        "siglip2": "deft.encoders.siglip:load_siglip",
        "deft-hybrid": "deft.encoders.hybrid:load_hybrid",
    }
)
"""The `model_type` of a `config.json` to `module:function`; the function takes a hub id or a folder."""


@checked
def load_encoder(name: str | Path, *, device: str = "auto") -> DualEncoder:
    """Load a vision-language model, frozen, in float32 and evaluation mode.

    Args:
        name: "tiny" (ships inside the package), a local folder, or the hub id of any CLIP, SigLIP or SigLIP 2
            checkpoint, such as "openai/clip-vit-base-patch16", also as open_clip writes it ("hf-hub:laion/...").
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
    given = hub_id(str(name))
    where = str(TINY) if given == "tiny" else given
    if where == "small" and not Path(where).is_dir():
        raise ModelError(
            "There is no model 'small': it was measured and left out (docs/tiny-model.md). Give 'tiny', "
            "a folder, or an id such as 'openai/clip-vit-base-patch16'."
        )
    with at_once(where):
        kind = model_type(given, Path(where))
        if kind not in ENCODERS:
            raise ModelError(f"{given!r} is a model of type {kind!r}. Known types: {', '.join(ENCODERS)}.")
        encoder: DualEncoder = at_home(ENCODERS[kind])(where)
    encoder.name = given
    return encoder.float().eval().requires_grad_(False).to(place)


def choose_device(device: str) -> torch.device:
    """Return the device that a name stands for; "auto" takes an accelerator where there is one.

    Raises:
        SettingsError: There is no such device here, or none for each of several processes.
    """
    if device == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if accelerator is None else own_accelerator(accelerator)
    try:
        place = own_accelerator(torch.device(device))
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].partition("Expected one of")[0]  # which would name twenty
        known = "" if reason else "known are auto, cpu, cuda, cuda:1, mps and the like."
        raise SettingsError(f"There is no device {device!r} here: {reason}{known}") from error
    return place
