"""Mutated image files of every format that Pillow writes, read as a data set: rows in are rows out, whatever happens.

    python scripts/fuzz_images.py [--minutes 5] [--seed 0] [--workers 1]      (also: make fuzz)

Each round writes 500 files (whole, cut, with flipped, zeroed, doubled or foreign bytes, odd modes and sizes) and builds
a pixel store of them in worker processes. A round fails if a row is lost, if a row has neither pixels nor a reason, if
the reason isn't one printable line, or if anything is raised. Processes that crash or hang cost an image, and are
counted and named: the file is kept in --keep.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deft.data.image_spec import ImageSpec
from deft.data.load import load_images
from deft.data.pixel_rule import PixelRule
from deft.errors import DataError
from deft.training.pixel_store import PixelStore

ROUND = 500
SPEC = ImageSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16")
FORMATS: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000", "PCX")},
    **{kind: {} for kind in ("DDS", "SGI", "IM", "MSP", "XBM", "ICNS", "AVIF", "BLP", "QOI", "SPIDER", "DIB")},
}
COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "lzma", "zstd")
SIZES = ((1, 1), (1, 90), (90, 1), (7, 5), (16, 16), (33, 20), (64, 64), (200, 3))

Random = np.random.Generator


def whole_files(seed: int = 0) -> list[tuple[str, bytes]]:
    """Return one file for every format, mode and compression that Pillow can write, of sizes that go round.

    Args:
        seed: Draws the pictures.
    """
    random = np.random.default_rng(seed)
    files = []
    options: list[tuple[str, dict[str, Any]]] = [(kind, {}) for kind in FORMATS] + [
        ("TIFF", {"compression": name}) for name in COMPRESSIONS
    ]
    options += [("JPEG", {"progressive": True}), ("WEBP", {"lossless": True}), ("PNG", {"transparency": 0})]
    for number, mode in enumerate(MODES):
        for turn, (kind, extra) in enumerate(options):
            if kind in ("AVIF", "ICNS") and mode not in ("RGB", "RGBA"):  # slow to write
                continue
            picture = _picture(mode, SIZES[(number + turn) % len(SIZES)], random)
            buffer = io.BytesIO()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    picture.save(buffer, kind, **extra)
            except Exception:  # a mode that the format doesn't have
                continue
            files.append((kind.lower(), buffer.getvalue()))
    return files


def mutate(data: bytes, others: list[tuple[str, bytes]], random: Random) -> bytes:
    """Return a file with something wrong with it; sometimes nothing is.

    Args:
        data: The file.
        others: Files to take foreign bytes from.
        random: Draws what is done.
    """
    bad = bytearray(data)
    for _ in range(int(random.integers(0, 4))):
        if not bad:
            break
        start = int(random.integers(len(bad)))
        # Headers are short, and hold what matters: half of all changes go there.
        start = start % 64 % len(bad) if random.random() < 0.5 else start
        end = start + int(random.integers(1, 40))
        match int(random.integers(7)):
            case 0:
                del bad[start:]
            case 1:
                bad[start : start + 1] = random.bytes(1)
            case 2:
                bad[start:end] = random.bytes(end - start)
            case 3:
                bad[start:end] = bytes([0, 255][int(random.integers(2))] for _ in range(end - start))
            case 4:
                bad[start:start] = bad[start:end]
            case 5:
                del bad[start:end]
            case _:
                foreign = others[int(random.integers(len(others)))][1]
                bad[start:end] = foreign[start:end]
    return bytes(bad)


def check_round(folder: Path, seed: int, *, count: int = ROUND, workers: int = 1) -> dict[int, str]:
    """Write mutated files into a folder, read them as a data set, and return why rows couldn't be read.

    Args:
        folder: Empty; files come into two class folders.
        seed: Draws the mutations.
        count: Files.
        workers: Processes that decode; 0 decodes in this one.

    Raises:
        AssertionError: A row was lost, or has neither pixels nor a reason.
    """
    random = np.random.default_rng(seed)
    files = whole_files(seed)
    for number in range(count):
        kind, data = files[int(random.integers(len(files)))]
        place = folder / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        (place / f"{number:05}-{kind}.png").write_bytes(mutate(data, files, random))
    images = load_images(folder)
    assert len(images) == count, f"{count} files went in, {len(images)} rows came out"
    images = replace(images, pixels=PixelRule(max_pixels=4_000_000, max_seconds=20))
    with PixelStore.build(images, SPEC, None, workers=workers) as store:
        pixels = store.read(np.arange(count))
        errors = {row: store.errors[row].partition(": ")[2] for row in store.errors}
    assert pixels.shape == (count, store.side, store.side, 3)
    for row, reason in errors.items():
        assert reason, f"{images.file_name[row]} has no reason"
        assert reason.isprintable(), f"{images.file_name[row]} has the reason {reason!r}"
        assert not pixels[row].any(), f"{images.file_name[row]} has pixels and a reason"
    return errors


def _picture(mode: str, size: tuple[int, int], random: Random) -> Image.Image:
    width, height = size
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 4096, (height, width), dtype=np.uint16))
    if mode == "F":
        values = random.normal(0.5, 0.3, (height, width)).astype(np.float32)
        values[0, : width - 1] = [np.nan, np.inf, 0.5][int(random.integers(3))]
        return Image.fromarray(values)
    colours = Image.fromarray(random.integers(0, 256, (height, width, 4), dtype=np.uint8))
    if mode == "LAB":
        return Image.frombytes("LAB", size, random.bytes(width * height * 3))
    return colours if mode == "RGBA" else colours.convert("RGB").convert(mode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    chosen = parser.parse_args()
    until, seed, rows = time.monotonic() + 60 * chosen.minutes, chosen.seed, 0
    outcomes: Counter[str] = Counter()
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory() as name:
            try:
                errors = check_round(Path(name), seed, workers=chosen.workers)
            except (AssertionError, DataError) as error:
                shutil.copytree(name, chosen.keep / str(seed))
                sys.exit(f"Round {seed} failed: {error} (files in {chosen.keep / str(seed)})")
            files = sorted(Path(name).rglob("*.png"), key=lambda path: (path.parent.name, path.name))
            for row, reason in errors.items():
                if "ends the process" in reason or "longer" in reason:
                    chosen.keep.mkdir(exist_ok=True)
                    shutil.copy(files[row], chosen.keep / f"{seed}-{files[row].name}")
        rows, seed = rows + ROUND, seed + 1
        outcomes.update(reason.partition(":")[0][:40] for reason in errors.values())
        outcomes["read"] += ROUND - len(errors)
        print(f"{rows} files, {outcomes['read']} read; rounds {chosen.seed} to {seed - 1}", flush=True)
    for outcome, times in outcomes.most_common(30):
        print(f"{times:8} {outcome}")


if __name__ == "__main__":
    main()
