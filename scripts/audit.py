"""Licences and known vulnerabilities of what requirements.lock pins.

Command: make audit, or .venv/bin/python scripts/audit.py
Result:  ends with 1 if a licence isn't one of `FREE`, or pip-audit knows of a vulnerability; with 2 if pip-audit can't
         be asked. Licences are read from the packages beside the Python that runs this script, without a network.
         pip-audit is installed into build/audit, and asks PyPI's and OSV's databases.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK, PLACE = ROOT / "requirements.lock", ROOT / "build" / "audit"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")
FREE = re.compile(
    r"mit|bsd|apache|isc|python software foundation|psf|mpl|mozilla public|unlicense|public domain|hpnd|zlib|cc0|0bsd"
    r"|historical permission|cnri|boost|zope|lgpl",
    re.IGNORECASE,
)
NO_NETWORK = "PyPI's vulnerabilities can't be reached from here, so they were not looked for; try with a network."


def pinned(lock: str) -> dict[str, str]:
    """Return the versions that a lock file pins, by package.

    Args:
        lock: Its text.
    """
    return {found[1]: found[2] for line in lock.splitlines() if (found := PINNED.match(line))}


def licence(package: str) -> str | None:
    """Return what an installed package says of its licence; None if it isn't installed here.

    Args:
        package: Its name.
    """
    try:
        about = metadata(package)
    except PackageNotFoundError:
        return None
    classes = [line.rpartition("::")[2].strip() for line in about.get_all("Classifier") or () if "License ::" in line]
    texts = [text for name in ("License-Expression", "License") for text in about.get_all(name) or ()]
    stated = [*classes, *(text.strip()[:60] for text in texts)]
    return " / ".join(one for one in stated if one) or "none stated"


def check_licences(packages: dict[str, str]) -> bool:
    """Print what isn't free to use, and what isn't installed here; return whether all is fine.

    Args:
        packages: Versions by package.
    """
    found = {name: licence(name) for name in packages}
    missing = sorted(name for name, text in found.items() if text is None)
    bad = {name: text for name, text in found.items() if text is not None and not FREE.search(text)}
    for name, text in sorted(bad.items()):
        print(f"{name}: {text.splitlines()[0]}")
    print(f"{len(found) - len(missing) - len(bad)} of {len(packages)} packages have a licence that is free to use.")
    if missing:
        print(f"Not installed beside this Python, so not read: {', '.join(missing)}.")
    return not bad


def check_vulnerabilities() -> int:
    """Ask pip-audit about the lock; return its exit code, 2 if it can't be asked."""
    python = PLACE / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.is_file():
        venv.create(PLACE, with_pip=True)
    quiet = ["-qq", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"]
    if subprocess.run([python, "-m", "pip", "install", *quiet, "pip-audit"], capture_output=True).returncode:
        print(NO_NETWORK)
        return 2
    asked = subprocess.run(
        [python, "-m", "pip_audit", "-r", LOCK, "--disable-pip", "--no-deps", "--timeout", "20", "--desc", "off"],
        capture_output=True,
        text=True,
    )
    lost = asked.returncode and re.search(r"ConnectionError|MaxRetry|Max retries|resolve", asked.stderr)
    # A mirror has the packages, but not what is known of them.
    if lost or asked.stdout.count("could not be audited") > 10:
        print(NO_NETWORK)
        return 2
    print(asked.stdout.strip() or asked.stderr.strip())
    return asked.returncode


def main() -> None:
    free = check_licences(pinned(LOCK.read_text(encoding="utf-8")))
    sys.exit(check_vulnerabilities() or (0 if free else 1))


if __name__ == "__main__":
    main()
