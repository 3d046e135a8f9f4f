"""A large picture of any mode costs little beside its RGB bytes: measured in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.pixel_memory import peak, write

SIDE = 4500
LIMIT = 178_956_970  # pixels of the largest picture, which may cost half a gigabyte beside its RGB bytes
OTHER = 30e6  # modules and buffers that don't grow with the picture


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "kind", ["16-bit grey png", "RGBA png", "palette with transparency png", "CMYK tif", "float tif"]
)
def test_peak(kind: str, tmp_path: Path) -> None:
    path = write(kind, SIDE, tmp_path)
    allowed = SIDE**2 * (3 + 0.5e9 / LIMIT) + OTHER
    assert peak(path, "squash") < allowed
