"""Writes requirements.lock: what `make` installs, pinned for every Python that deft supports.

Command: make lock, or .venv/bin/python scripts/lock.py python3.10 python3.12 python3.13
Result:  requirements.lock (measured: 4 Pythons in 2.7 minutes). Versions are those installed beside the
         Python that runs this script; where one of them doesn't exist for another Python, pip chooses one for
         it, which gets a marker. Interpreters that aren't on this machine are left out.

What only scripts/train_tiny.py needs (extra "train") is not in it: it brings weights of 106 MB. Nor are CUDA
packages: pip adds them where the torch that it finds for the machine asks for them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import distributions, version
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LEFT_OUT = ("nvidia-", "cuda-", "triton")
TORCH = "torch==2.13.0"
HEADER = """\
# What `make` installs: deft's own requirements and its tools, pinned. Made by `make lock` (scripts/lock.py).
# Python {pythons}, Linux. torch is the same release with or without CUDA, so its CUDA packages are not named.
"""


def main() -> None:
    """Resolve for each Python and write the file."""
    own = "{}.{}".format(*sys.version_info)
    named = sys.argv[1:] or [f"python{python}" for python in PYTHONS]
    interpreters = {own: sys.executable}
    for name in named:
        path = shutil.which(name)
        found = path and _version_of(path)
        if path and found and found != own:
            interpreters[found] = path
    chosen: dict[str, dict[str, str]] = {}
    for python in sorted(interpreters, key=_number):
        chosen[python] = _resolve(interpreters[python], python)
        print(f"Python {python}: {len(chosen[python])} packages")
    (ROOT / "requirements.lock").write_text(_render(chosen), encoding="utf-8")


def _resolve(interpreter: str, python: str) -> dict[str, str]:
    """Name to version of all that deft and its tools need on one Python."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constraints.write_text("\n".join(_installed_that_fit(python)), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--python", interpreter, "install", "-qq", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), "-c", str(constraints)]
        subprocess.run([*command, *_requirements()], check=True)
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = {canonicalize_name(item["metadata"]["name"]): item["metadata"]["version"] for item in items}
    return {
        name: found.split("+")[0]
        for name, found in sorted(pins.items())
        if name != "deft-labels" and not name.startswith(LEFT_OUT)
    }


def _requirements() -> list[str]:
    import tomllib  # the Python that locks is 3.11 or newer

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"], TORCH]


def _installed_that_fit(python: str) -> list[str]:
    """Pins of what is installed here, without those that say they don't run on that Python."""
    pins = []
    for item in distributions():
        name = canonicalize_name(item.metadata["Name"])
        wants = str(item.metadata.json.get("requires_python", ""))
        if name not in ("deft-labels", "pip") and SpecifierSet(wants).contains(f"{python}.99"):
            pins.append(f"{name}=={version(name).split('+')[0]}")
    return sorted(set(pins))


def _render(chosen: dict[str, dict[str, str]]) -> str:
    """One line per package and version, with a marker where it isn't meant for every Python."""
    pythons = sorted(chosen, key=_number)
    users: dict[tuple[str, str], list[str]] = defaultdict(list)
    for python in pythons:
        for name, found in chosen[python].items():
            users[name, found].append(python)
    lines = []
    for (name, found), of in sorted(users.items()):
        lines.append(f"{name}=={found}{_marker(of, pythons)}")
    return HEADER.format(pythons=f"{pythons[0]} to {pythons[-1]}") + "\n".join(lines) + "\n"


def _marker(of: list[str], pythons: list[str]) -> str:
    first, last = pythons.index(of[0]), pythons.index(of[-1])
    if len(of) != last - first + 1:
        raise SystemExit(f"A version is chosen for Python {', '.join(of)} but not for those between.")
    bounds = []
    if first > 0:
        bounds.append(f'python_version >= "{of[0]}"')
    if last < len(pythons) - 1:
        bounds.append(f'python_version < "{pythons[last + 1]}"')
    return " ; " + " and ".join(bounds) if bounds else ""


def _version_of(path: str) -> str | None:
    """`3.10` of an interpreter, or None if it doesn't run."""
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([path, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _number(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))


if __name__ == "__main__":
    main()
