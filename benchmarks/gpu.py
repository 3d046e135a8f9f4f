"""What deft does with a GPU: images a second, share of the card's own rate, memory, and whether loading keeps ahead.

    python -m benchmarks.gpu --json results.json      # a minute for the first three parts on an H200
    python -m benchmarks.gpu --device cpu --batch 2 --steps 1 --photos 16 --parts card steps    # does it run?

The model has CLIP ViT-B/16's size and random weights, so nothing is fetched; numbers are in bfloat16 unless a row says
otherwise. A step's batch lies on the card already; "from files" is the same with deft's own loading, of photos that
were decoded from JPEG files before: each batch read when its turn has come, as deft does where it only looks, or one
batch ahead, as it does where it trains. Work is counted in the operations of matrix products
(`torch.utils.flop_counter`), and set against the rate of a product of 8192 x 8192 matrices in the same run.

"Compiled" is what `torch.compile` of the image tower would give: deft doesn't compile.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.gpu_detection import parts_of
from benchmarks.gpu_steps import (
    CLASSES,
    Bench,
    Fixed,
    InTurn,
    Row,
    batches,
    busy,
    epochs,
    phase1,
    phase2,
    step_work,
    trained,
)
from benchmarks.speed import SPEC, flops
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.training.batches import Batches
from deft.training.loop import Training
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore
from deft.training.precision import autocast, resolve_precision

SIDE, PHOTO = 8192, (500, 375)
ALONE = "a batch that lies on the card"


def card(bench: Bench) -> None:
    """The rate of a large matrix product in bfloat16."""
    side = SIDE if bench.device.type == "cuda" else 512
    left, right = (torch.randn(side, side, device=bench.device).bfloat16() for _ in range(2))
    took = bench.seconds(lambda: left @ right, 20)
    bench.peak = 2 * side**3 / took
    print(f"\nproduct of {side} x {side} matrices in bfloat16: {bench.peak / 1e12:.0f} TFLOP/s\n")
    print("| what | images/s | Gflop an image | share of the card's rate | GB | |")
    print("|---|---|---|---|---|---|", flush=True)


def steps(bench: Bench) -> None:
    """Training and scoring of a batch that lies on the card already."""
    count = bench.batch * bench.steps
    here = batches(bench, Fixed(bench.pixels), count)
    with phase1(bench.encoder) as method:
        work = step_work(bench, method)
        for precision in ("bfloat16", "float32"):
            rate = trained(bench, method, here, precision)
            known = bench.share(rate, work) if precision == "bfloat16" else 0.0
            bench.say(Row(f"phase 1, VPT, {precision}", rate, work / 1e9, known, bench.memory()))
    method2 = phase2(bench.encoder, count)
    work = step_work(bench, method2)
    rate = trained(bench, method2, here)
    bench.say(Row("phase 2, all weights", rate, work / 1e9, bench.share(rate, work), bench.memory()))
    del method2
    for what, encoder in (("ViT-B/16", bench.encoder), ("tiny", load_encoder("tiny", device=str(bench.device)))):
        for times in (1, 4):
            bench.say(passed(bench, f"frozen pass, {what}, batch {bench.batch * times}", encoder, times))


def passed(bench: Bench, what: str, encoder: DualEncoder, times: int) -> Row:
    """The pass that frozen detection makes over the images, without reading them."""
    size = encoder.spec.size
    pixels = torch.randn(bench.batch * times, 3, size, size, device=bench.device)

    def look() -> None:
        with torch.no_grad(), autocast(resolve_precision("auto", bench.device), bench.device):
            encoder.encode_images(pixels)

    work = flops(look) / len(pixels)
    rate = len(pixels) / bench.seconds(look)
    return Row(what, rate, work / 1e9, bench.share(rate, work), bench.memory())


def write_photos(folder: Path, count: int) -> None:
    """Made photos of classes that differ in colour, as JPEG files of 500 x 375."""

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        small = rng.integers(0, 256, size=(48, 64, 3)).astype(np.uint8)
        small[..., number % 3] //= 2
        place = folder / f"{number % CLASSES + 500}"
        place.mkdir(exist_ok=True)
        Image.fromarray(small).resize(PHOTO, Image.Resampling.BICUBIC).save(place / f"{number}.jpg", quality=90)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(count)))


@contextmanager
def made_photos(bench: Bench) -> Iterator[LabeledImages]:
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), bench.photos)
        yield load_images(folder)


def files(bench: Bench) -> None:
    """Decoding beside the card's rates, and training whose batches are read as deft reads them."""
    cores = len(os.sched_getaffinity(0))
    with made_photos(bench) as images, tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = PixelStore.build(images, SPEC, Path(folder))
        rate = len(images) / (time.perf_counter() - start)
        bench.say(Row(f"decoding JPEG files of {PHOTO[0]} x {PHOTO[1]}", rate, note=f"{cores} cores, once per run"))
        with store:
            count = len(images) // bench.batch * bench.batch
            loaders = {
                ALONE: Fixed(bench.pixels),
                "from files, read in turn": InTurn(store, SPEC, bench.device),
                "from files, one batch ahead": PixelLoader(store, SPEC, bench.device),
            }
            ways = {way: batches(bench, loader, count) for way, loader in loaders.items()}
            read(bench, {way: samples for way, samples in ways.items() if way != ALONE})
            for what, made in (("phase 1, VPT", phase1(bench.encoder)), ("phase 2", _plain(bench, count))):
                with made as method:
                    waits(bench, what, ways, {way: epochs(bench, method, samples) for way, samples in ways.items()})
            waits(bench, "frozen pass", ways, {way: passes(bench, samples) for way, samples in ways.items()})


@contextmanager
def _plain(bench: Bench, count: int) -> Iterator[Training]:
    yield phase2(bench.encoder, count)


def passes(bench: Bench, samples: Batches) -> Callable[[], object]:
    """The frozen pass over all images, whose results come back from the card batch by batch."""

    def once() -> None:
        rows = np.array_split(samples.rows, len(samples))
        with torch.no_grad(), autocast(resolve_precision("auto", bench.device), bench.device):
            for part, loader in samples.loader.ahead(rows):
                bench.encoder.encode_images(loader.load(part, None)).float().cpu()

    return once


def waits(bench: Bench, what: str, ways: Mapping[str, Batches], calls: Mapping[str, Callable[[], object]]) -> None:
    """Rows of one work whose batches come in several ways; the ways take turns, so that all meet the same machine."""
    took = bench.in_turn(calls)
    rates = {way: len(samples.rows) / took[way] for way, samples in ways.items()}
    for way, rate in rates.items():
        note = "" if way == ALONE else f"the card waits {max(0.0, 1 - rate / rates[ALONE]):.0%} of the time"
        bench.say(Row(f"{what}, {way}", rate, note=note))


def read(bench: Bench, ways: Mapping[str, Batches]) -> None:
    """Batches alone: reading the store, the way to the card, crops and flips."""

    def epoch(samples: Batches) -> None:
        for _ in samples.epoch(0):
            pass

    took = bench.in_turn({way: partial(epoch, samples) for way, samples in ways.items()})
    for way, samples in ways.items():
        bench.say(Row(f"reading decoded photos, {way.split(', ')[1]}", len(samples.rows) / took[way]))


def detection(bench: Bench) -> None:
    """`DeFT(encoder)` as typed, from files to verdicts, decoding included; then where its seconds go."""
    with made_photos(bench) as images:
        for what, encoder in (("ViT-B/16", bench.encoder), ("tiny", load_encoder("tiny", device=str(bench.device)))):
            start = time.perf_counter()
            DeFT(encoder).detect(images)
            took = time.perf_counter() - start
            bench.say(Row(f"detection as typed, {what}", len(images) / took, note=f"{took:.1f} s, from files"))
            parts = parts_of(encoder, images, bench.wait)
            whole = sum(parts.values())
            note = f"{whole:.1f} s, of which:"
            bench.say(Row(f"detection as typed, {what}, once more", len(images) / whole, note=note))
            for part, took in parts.items():
                bench.say(Row(part, len(images) / took, note=f"{took:.2f} s, {took / whole:.0%}"))


def compiled(bench: Bench) -> None:
    """What compiling the image tower would give, beside the seconds of compiling.

    Of a copy that is bfloat16 throughout: the compiler doesn't follow weights that are converted once and kept.
    """
    encoder = copy.deepcopy(bench.encoder)
    encoder.to(torch.bfloat16)
    pixels = bench.pixels.bfloat16()

    def look(encode: Callable[[Tensor], Tensor]) -> None:
        with torch.no_grad():
            encode(pixels)

    tower = torch.compile(encoder.encode_images)
    start = time.perf_counter()
    look(tower)
    bench.wait()
    took = time.perf_counter() - start
    seconds = bench.in_turn({"plain": partial(look, encoder.encode_images), "compiled": partial(look, tower)}, 40)
    plain, fast = (len(pixels) / each for each in seconds.values())
    bench.say(Row("frozen pass, bfloat16 throughout", plain))
    note = f"{fast / plain:.2f} times; compiling took {took:.0f} s"
    bench.say(Row("frozen pass, bfloat16 throughout, compiled", fast, note=note))


def commit() -> str:
    """The commit of this code; empty where there is no git."""
    if shutil.which("git") is None:
        return ""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def facts(bench: Bench) -> dict[str, str]:
    """What the numbers belong to."""
    cuda = bench.device.type == "cuda"
    return {
        "card": torch.cuda.get_device_name() if cuda else platform.processor(),
        "driver": str(torch.version.cuda),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": str(len(os.sched_getaffinity(0))),
        "commit": os.environ.get("COMMIT") or commit(),
        "command": shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]),
    }


def write_rows(bench: Bench, path: Path) -> None:
    """What was measured so far, as JSON."""
    told = {**facts(bench), "tflops": bench.peak / 1e12, "errors": bench.errors}
    path.write_text(json.dumps({**told, "rows": [asdict(row) for row in bench.rows]}, indent=1) + "\n")


PARTS: Mapping[str, Callable[[Bench], None]] = {
    part.__name__: part for part in (card, steps, files, detection, busy, compiled)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=64, help="images of a step")
    parser.add_argument("--steps", type=int, default=30, help="steps of a measured epoch")
    parser.add_argument("--photos", type=int, default=2000, help="photos that are decoded")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    bench = Bench(torch.device(options.device), options.batch, options.steps, options.photos, tuple(options.parts))
    print(", ".join(f"{name} {value}" for name, value in facts(bench).items()), flush=True)
    for name in bench.parts:
        try:
            with bench.part(name):
                PARTS[name](bench)
        finally:  # also of a part that was interrupted
            if options.json:
                write_rows(bench, options.json)


if __name__ == "__main__":
    main()
