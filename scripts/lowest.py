"""Prints the oldest versions that pyproject.toml allows, as constraints of pip.

python scripts/lowest.py > lowest.txt

Without packages, so that it runs before anything is installed.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lowest(project: str) -> list[str]:
    r"""Return one pin for each requirement of the package and its extras; its tools may be as new as they like.

    Args:
        project: Text of pyproject.toml.

    Example:
        >>> lowest('dependencies = [\n    "numpy>=1.26",\n    "pandas-stubs",\n]\n')
        ['numpy==1.26']
    """
    package = project.partition("\ndev = [")[0]
    found = re.findall(r'"([A-Za-z0-9-]+)>=([0-9.]+)"', package)
    return [f"{name}=={version}" for name, version in dict(found).items()]


if __name__ == "__main__":
    print("\n".join(lowest((ROOT / "pyproject.toml").read_text(encoding="utf-8"))))
