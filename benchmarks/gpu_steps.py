"""What `benchmarks.gpu` measures with: the card, rows of results, the two phases of training, and their rate."""

from __future__ import annotations

import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed import SPEC, build_encoder, class_names, flops
from deft.adaptation.backbones import open_backbone
from deft.detectors.deft_training import DualPromptTraining, Recipe
from deft.encoders.base import DualEncoder
from deft.methods.base import TrainingContext
from deft.methods.cross_entropy import CE
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.loop import Training, epochs_of
from deft.training.optimization import Optimization
from deft.training.pixel_loader import PixelLoader
from deft.training.precision import Precision, autocast, resolve_precision
from deft.tuning import VPT, Full

CLASSES = 100


@dataclass(frozen=True)
class Row:
    """One measurement.

    Args:
        what: That was measured.
        rate: Images a second.
        work: Operations of an image, in Gflop; 0 where they weren't counted.
        share: Of the card's own rate; 0 where it isn't known.
        memory: Most that PyTorch held on the card, in GB.
        note: What else is to be said.
    """

    what: str
    rate: float
    work: float = 0.0
    share: float = 0.0
    memory: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        work = f"{self.work:.1f}" if self.work else ""
        share = f"{self.share:.0%}" if self.share else ""
        memory = f"{self.memory:.1f}" if self.memory else ""
        return f"| {self.what} | {self.rate:,.0f} | {work} | {share} | {memory} | {self.note} |"


class Fixed(Loader):
    """The same pixels for every batch, which lie on the device already."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return self.pixels[: len(rows)]


class InTurn(PixelLoader):
    """Reads a batch when its turn has come, and not before."""

    ahead = Loader.ahead


@dataclass
class Bench:
    """What is measured, and on what.

    Args:
        device: The card.
        batch: Images of a step.
        steps: Steps of a measured epoch.
        photos: Photos that are decoded.
        parts: Names of `PARTS`.
    """

    device: torch.device
    batch: int
    steps: int
    photos: int
    parts: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    peak: float = 0.0  # operations a second of the card

    @cached_property
    def encoder(self) -> DualEncoder:
        encoder = build_encoder()
        encoder.to(self.device)
        return encoder

    @cached_property
    def pixels(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(self.batch, 3, SPEC.size, SPEC.size, generator=generator).to(self.device)

    def say(self, row: Row) -> None:
        self.rows.append(row)
        print(row, flush=True)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What fails in one part is written down, and the others go on."""
        start = time.perf_counter()
        try:
            yield
        except Exception as error:
            self.errors[name] = f"{type(error).__name__}: {error}"
            print(f"\n{name} failed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        print(f"# {name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def memory(self) -> float:
        return torch.cuda.max_memory_allocated() / 1e9 if self.device.type == "cuda" else 0.0

    def share(self, images: float, work: float) -> float:
        return images * work / self.peak if self.peak else 0.0

    def seconds(self, function: Callable[[], object], repeats: int = 10, warm: int = 3) -> float:
        """Median of several runs, each waited for."""
        times = []
        for number in range(warm + repeats):
            start = time.perf_counter()
            function()
            self.wait()
            if number >= warm:
                times.append(time.perf_counter() - start)
        return statistics.median(times)

    def in_turn(self, calls: Mapping[str, Callable[[], object]], rounds: int = 4) -> dict[str, float]:
        """Median seconds of each call after a first one; the calls take turns."""
        times: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(rounds):
            for name, call in calls.items():
                self.wait()
                start = time.perf_counter()
                call()
                self.wait()
                if number:
                    times[name].append(time.perf_counter() - start)
        return {name: statistics.median(each) for name, each in times.items()}

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


@contextmanager
def phase1(encoder: DualEncoder) -> Iterator[DualPromptTraining]:
    """The paper's first phase: visual prompts in every layer, sixteen context vectors."""
    with VPT(length=20).attach(encoder, seed=0) as attachment:
        prompts = DualPrompts(encoder.text, class_names(CLASSES), PromptSettings(length=16))
        prompts.to(encoder.device)
        yield DualPromptTraining(encoder, encoder.encode_images, prompts, attachment, Recipe())


def phase2(encoder: DualEncoder, count: int) -> Training:
    """The paper's second phase: cross-entropy, all weights of the image tower and a linear head."""
    backbone = open_backbone(encoder, Full(), class_names(CLASSES), "linear")
    labels, rows = np.arange(count) % CLASSES, np.arange(count)
    run = TrainingContext(
        lambda seed: backbone.network(seed, backbone.entry), labels, rows, CLASSES, 1, 0, encoder.device
    )
    return CE().build(run)


def batches(bench: Bench, loader: Loader, count: int) -> Batches:
    labels = np.arange(count) % CLASSES
    return Batches(loader, labels, np.arange(count), batch_size=bench.batch, seed=0, device=bench.device)


def trained(bench: Bench, method: Training, samples: Batches, precision: Precision = "auto", epochs: int = 3) -> float:
    """Images a second of deft's own loop; the fastest epoch after the first."""
    times, start = [], time.perf_counter()
    for _ in epochs_of(method, samples, epochs=epochs, optimization=Optimization(precision=precision)):
        bench.wait()
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return len(samples.rows) / min(times[1:])


def epochs(bench: Bench, method: Training, samples: Batches) -> Callable[[], object]:
    """Return what trains one more epoch at each call."""
    endless = epochs_of(method, samples, epochs=100, optimization=Optimization(schedule="constant"))
    return lambda: next(endless)


def busy(bench: Bench) -> None:
    """For how much of a step the card computes, and in how many pieces; measured by PyTorch's profiler."""
    count = bench.batch * 10
    with phase1(bench.encoder) as method:
        _busy(bench, "phase 1, VPT", method, count)
    _busy(bench, "phase 2", phase2(bench.encoder, count), count)


def _busy(bench: Bench, what: str, method: Training, count: int) -> None:
    once = epochs(bench, method, batches(bench, Fixed(bench.pixels), count))
    took = bench.in_turn({what: once})[what]
    with torch.profiler.profile() as profile:
        once()
        bench.wait()
    # What PyTorch names on the card itself, such as the optimizer's step, holds the kernels once more.
    work = [event for event in profile.events() if event.device_type.name == "CUDA" and not event.is_user_annotation]
    share = sum(event.time_range.elapsed_us() for event in work) / 1e6 / took
    note = f"the card computes {share:.0%} of the time, in {len(work) * bench.batch / count:,.0f} pieces a step"
    bench.say(Row(f"{what}, a step", count / took, note=note))


def step_work(bench: Bench, method: Training) -> float:
    """Operations of an image in a step, forward and backward."""

    def step() -> None:
        with autocast(resolve_precision("auto", bench.device), bench.device):
            loss = next(method.losses(batches(bench, Fixed(bench.pixels), bench.batch), 3))
        loss.backward()

    return flops(step) / bench.batch
