"""Mixed precision: float32 weights under a narrower autocast where the hardware gains from it."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch

from deft.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the number format of activations for a device; weights stay float32 in any case.

    "auto" follows the hardware alone, never a timing, so that the same machine always computes the same: bfloat16
    on GPUs that have it and on CPUs with instructions for it, float16 on older GPUs, else float32.

    Args:
        precision: What the user asked for.
        device: Where the model runs.

    Raises:
        SettingsError: The name is unknown, or the device can't do it.
    """
    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        if device.type == "cpu" and cpu_has_bfloat16():
            return torch.bfloat16
        return torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in known:
        raise SettingsError(f"Unknown precision {precision!r}. Known: auto, {', '.join(known)}.")
    if precision == "float16" and device.type == "cpu":
        raise SettingsError("Training in float16 needs a GPU; on a CPU use bfloat16, float32 or auto.")
    return known[precision]


def autocast(dtype: torch.dtype, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return a context in which matrix products on `device` run in `dtype`; float32 changes nothing."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 in hardware: Intel's AMX, or AVX-512's dot products."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
