"""`deft doctor`: what there is on this machine, and whether its arithmetic can be trusted."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from deft.cli.options import Device
from deft.errors import ModelError

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "transformers", "peft", "datasets", "numpy", "pillow", "scikit-learn")
TOLERANCE = 1e-3  # of features of length one, in float32


def doctor(
    device: Device = "auto",
) -> None:
    """Print versions, devices, caches and a check of the device's arithmetic against the CPU's."""
    from deft.cli.output import standard_output, table

    rows = [*_versions(), *_machine(), *_devices(), *_hub()]
    name, difference = check_numerics(device)
    verdict = "fine" if difference <= TOLERANCE else "not fine: expect other verdicts than on a CPU"
    rows.append((f"Features on {name} against cpu", f"largest difference {difference:.1e}, {verdict}"))
    standard_output().print(table("deft doctor", ["", ""], rows, right=2))
    if difference > TOLERANCE:
        raise ModelError(f"The device {name} computes other features than the CPU. Use --device cpu.")


def check_numerics(device: str) -> tuple[str, float]:
    """Return the largest difference between tiny's float32 features of fixed images on a device and on the CPU.

    Args:
        device: As for `deft detect --device`.

    Returns:
        The device's name and the difference.
    """
    import torch

    from deft.encoders.load import load_encoder

    here, reference = load_encoder("tiny", device=device), load_encoder("tiny", device="cpu")
    generator = torch.Generator().manual_seed(0)
    size = reference.spec.size
    pixels = torch.randn(4, 3, size, size, generator=generator)
    with torch.no_grad():
        expected = reference.encode_images(pixels)
        found = here.encode_images(pixels.to(here.device)).cpu()
    return str(here.device), float((found - expected).abs().max())


def _versions() -> list[tuple[str, str]]:
    from deft import __version__

    rows = [("deft", __version__), ("python", f"{platform.python_version()} at {sys.executable}")]
    for package in PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    return rows


def _machine() -> list[tuple[str, str]]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return [
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("cores", str(usable)),
        ("disk", f"{free:.1f} GB free at {Path.cwd()}"),
    ]


def _devices() -> list[tuple[str, str]]:
    """Return every device that can be asked for, with the number format that `--precision auto` takes on it."""
    import torch

    places = [torch.device("cpu")]
    if torch.cuda.is_available():
        places += [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        places.append(torch.device("mps"))
    return [(f"device {place}", _describe(place)) for place in places]


def _describe(place: torch.device) -> str:
    import torch

    from deft.training.precision import resolve_precision

    name = torch.cuda.get_device_name(place) + ", " if place.type == "cuda" else ""
    units = "bfloat16 in hardware" if _fast_bfloat16(place) else "no fast bfloat16"
    chosen = str(resolve_precision("auto", place)).removeprefix("torch.")
    return f"{name}{units}; --precision auto is {chosen}"


def _fast_bfloat16(place: torch.device) -> bool:
    import torch

    from deft.training.precision import cpu_has_bfloat16

    if place.type == "cuda":
        return torch.cuda.get_device_capability(place) >= (8, 0)
    return place.type == "cpu" and cpu_has_bfloat16()


def _hub() -> list[tuple[str, str]]:
    from huggingface_hub import constants

    offline = "yes: only models that are cached, tiny and local folders" if constants.HF_HUB_OFFLINE else "no"
    return [("Hugging Face cache", str(constants.HF_HUB_CACHE)), ("offline (HF_HUB_OFFLINE)", offline)]
