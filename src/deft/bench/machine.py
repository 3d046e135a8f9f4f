"""What results were made on, and how much memory an experiment took."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from deft.runs.provenance import peak_memory_mb

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux


def machine() -> dict[str, Any]:
    """Return what the results of this process are made on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def program() -> str:
    """Return what this process runs: `deft` for the command, otherwise the name of a module or of a script's file."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m NAME
        return str(spec.name).removesuffix(".__main__")
    return Path(getattr(main, "__file__", "python")).name


def cpu_seconds() -> float:
    """Return the processor's time of this process and of those that it has ended, user and system, of all cores."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def forget_peak() -> None:
    """Let the process's peak memory begin anew, where the system can."""
    with suppress(OSError):
        FORGET.write_text("5", encoding="ascii")


def peak_mb() -> int | None:
    """Return the largest memory since `forget_peak`, in MB; of the whole process where the system can't tell."""
    with suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024)
    return peak_memory_mb()
