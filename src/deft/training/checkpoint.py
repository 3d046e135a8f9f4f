"""A run of training as one file, replaced as a whole after every epoch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deft.errors import DataError
from deft.files import parse_json
from deft.manifest import check, replace_sealed


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is kept between epochs, and what it belongs to.

    Args:
        path: File, replaced as a whole after every epoch.
        fingerprint: Fingerprint of data and settings; a checkpoint with a different one is refused.
        resume: Whether to go on from the file if it is there.
    """

    path: Path
    fingerprint: str
    resume: bool = False


def keep(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    checkpoint: Checkpoint,
    epochs: int,
) -> None:
    """Write the state of a module, its optimizer and its gradient scaler after some epochs."""
    tensors = {f"method.{name}": value.contiguous() for name, value in _own(module).items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value.contiguous()
    # Empty unless gradients are scaled, as they are in float16.
    notes = {"epochs": epochs, "fingerprint": checkpoint.fingerprint, "scaler": scaler.state_dict()}
    with replace_sealed(checkpoint.path) as temporary:
        save_file(tensors, temporary, metadata={"deft": json.dumps(notes)})


def restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, checkpoint: Checkpoint
) -> int:
    """Load a checkpoint into module, optimizer and gradient scaler, if one is there and wanted.

    Returns:
        The number of epochs it has behind it; 0 without one.

    Raises:
        DataError: It belongs to another run.
    """
    if not checkpoint.resume or not checkpoint.path.is_file():
        return 0
    check(checkpoint.path, hint="Delete it to begin again from the first epoch.")
    notes = checkpoint_notes(checkpoint.path)
    if notes["fingerprint"] != checkpoint.fingerprint:
        raise DataError(
            f"{checkpoint.path} was written with other images, labels or settings, so this run can't go on from "
            "it. Repeat the first command's options, or choose another output folder."
        )
    tensors = load_file(checkpoint.path)
    own = {key.removeprefix("method."): value for key, value in tensors.items() if key.startswith("method.")}
    missing = set(_own(module)) ^ set(own)
    if missing:
        raise DataError(f"{checkpoint.path} doesn't fit this method: {sorted(missing)[0]} is in only one of them.")
    module.load_state_dict(own, strict=False)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    if scaler.is_enabled() and notes.get("scaler"):
        scaler.load_state_dict(notes["scaler"])
    return int(notes["epochs"])


def checkpoint_notes(path: Path) -> dict[str, Any]:
    """Return a checkpoint's notes: `epochs` done, the `fingerprint` of its run, the state of the `scaler`.

    Raises:
        DataError: The file is no checkpoint of deft.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            notes: dict[str, Any] = parse_json((file.metadata() or {})["deft"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DataError(f"{path} is no checkpoint of deft.") from error
    return notes


def _own(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's state, each tensor once: a weight that two places share has its first name."""
    seen: set[tuple[int, int, int]] = set()
    state = {}
    for name, value in module.state_dict().items():
        # Empty tensors share the address 0 without being one.
        mark = (value.data_ptr(), value.storage_offset(), value.numel())
        if value.numel() and mark in seen:
            continue
        seen.add(mark)
        state[name] = value
    return state


def encoder_fingerprint(encoder: nn.Module) -> str:
    """Return a short hash of an encoder's weights: names, shapes, and the first and last values of each."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(encoder.state_dict().items()):
        flat = value.detach().float().flatten()
        digest.update(f"{name} {tuple(value.shape)} {flat[:4].tolist()} {flat[-4:].tolist()}".encode())
    return digest.hexdigest()
