"""Peak memory of decoding one large picture, by mode and format, above what the process needs anyway.

    python benchmarks/pixel_memory.py [--side 13000]

Prints, for every kind, the size of the file, the peak and what of it comes on top of the decoded picture's RGB bytes.
Every picture is decoded in a process of its own; Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

DEFLATE: dict[str, Any] = {"compression": "tiff_adobe_deflate"}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "RGB png": ("RGB", "png", {}),
    "RGB jpg": ("RGB", "jpg", {}),
    "16-bit grey png": ("I;16", "png", {}),
    "RGBA png": ("RGBA", "png", {}),
    "grey and alpha png": ("LA", "png", {}),
    "palette with transparency png": ("P", "png", {"transparency": 0}),
    "1 bit png": ("1", "png", {}),
    "CMYK tif": ("CMYK", "tif", DEFLATE),
    "CMYK jpg": ("CMYK", "jpg", {}),
    "32-bit integer tif": ("I", "tif", DEFLATE),
    "float tif": ("F", "tif", DEFLATE),
    "16-bit grey tif": ("I;16", "tif", DEFLATE),
    "LAB tif": ("LAB", "tif", DEFLATE),
    "RGB webp": ("RGB", "webp", {"lossless": True, "method": 0}),
    "RGB jp2": ("RGB", "jp2", {}),
    "progressive jpg": ("RGB", "jpg", {"progressive": True, "subsampling": 0}),
    "RGB avif": ("RGB", "avif", {"speed": 10}),
    "RGB gif": ("P", "gif", {}),
}
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from deft.data.decode import decode, whole
from deft.data.image_spec import ImageSpec

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()  # getrusage would count what the parent had, too
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

data = Path(sys.argv[1]).read_bytes()
spec = ImageSpec(224, (0, 0, 0), (1, 1, 1), fit=sys.argv[2])
decode(np.zeros((9, 9, 3), np.uint8), spec, 224)
before = peak()
if sys.argv[3] == "decode":
    decode(data, spec, 224)
else:
    whole(data, 224)
print(peak() - before)
"""


def peak(path: Path, fit: str = "crop", what: str = "decode") -> int:
    """Return the peak memory of decoding a file, in bytes, above that of the process with the file in it.

    Args:
        path: The file.
        fit: How it becomes a square.
        what: "decode" for a detector's square, "whole" for a thumbnail.
    """
    done = subprocess.run([sys.executable, "-c", PROGRAM, path, fit, what], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


def write(kind: str, side: int, folder: Path) -> Path:
    """Return a file of one of the `KINDS`, of side x side pixels of one colour."""
    mode, ending, options = KINDS[kind]
    path = folder / f"{kind.replace(' ', '-')}.{ending}"
    image = Image.new(mode, (side, side), 0)
    if mode == "P":
        image.putpalette([200, 30, 30, 30, 200, 30])
    image.save(path, **options)
    return path


def main() -> None:
    Image.MAX_IMAGE_PIXELS = None  # the pictures that are written are larger
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=13000)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    chosen = parser.parse_args()
    rgb = 3 * chosen.side**2
    print(f"{chosen.side} x {chosen.side} pixels, {rgb / 1e9:.2f} GB as RGB")
    for kind in chosen.kinds:
        with tempfile.TemporaryDirectory() as folder:
            path = write(kind, chosen.side, Path(folder))
            peaks = [peak(path, "crop"), peak(path, "squash"), peak(path, "crop", "whole")]
            size = path.stat().st_size
        told = " ".join(f"{value / 1e9:5.2f}" for value in peaks)
        print(f"{kind:32} file {size / 1e6:7.1f} MB  peak GB {told}  on top of RGB {(max(peaks) - rgb) / 1e9:5.2f}")


if __name__ == "__main__":
    main()
