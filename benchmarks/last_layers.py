"""What VPT in the last layers alone costs beside one pass of the encoder, and what it does to the verdict.

    python -m benchmarks.last_layers                                     # cost, random ViT-B/16
    python -m benchmarks.last_layers --data DATA                         # and F1 with `tiny` on CIFAR-10N, three seeds
    python -m benchmarks.last_layers --classes --data DATA --rows tuning # the same on rows that settings were chosen on

What early stopping saves depends on the epochs that it leaves out: beside the cost of ten epochs stands how many epochs
keep to six passes, a look at the images held out after each of them included.

The pass and all parts of a detection are timed apart, in bfloat16 where the machine has it, and put together for
every image: its two views up to the first prompted layer, once; ten epochs from there, forward and backward, with the
text tower's share of a batch; the untouched encoder's features, which the default verdict reads; judging. Seconds are
the processors' own, the shortest of several turns, so that other jobs count for little; operations are counted, too.

F1 is that of `DeFT(encoder, tuning=VPT(...))` on rows 10,000 to 19,999 of CIFAR-10N, with the labels of people: after
all ten epochs, and where training ends by itself (`Stopping`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.settings import CIFAR
from benchmarks.speed import BATCH, build_encoder, class_names, flops
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.detectors.deft_stopping import Stopping
from deft.encoders.base import DualEncoder
from deft.encoders.clip import ClipEncoder
from deft.encoders.load import load_encoder
from deft.encoders.remembered import remember_stem
from deft.metrics import score_detection
from deft.progress import Silent, T
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.training.precision import autocast, resolve_precision
from deft.training.workspace import Workspace
from deft.tuning import VPT

CPU = torch.device("cpu")
EPOCHS, VIEWS, STEP = 10, 2, 64  # of the paper's settings: epochs, kept views, images of a step
LAYERS = (12, 6, 4, 3, 2, 1)
AIM = 6.0


@dataclass(frozen=True)
class Work:
    """What something takes.

    Args:
        seconds: Of the processors.
        operations: Floating-point operations of its matrix products.
    """

    seconds: float = 0.0
    operations: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.seconds + other.seconds, self.operations + other.operations)

    def times(self, number: float) -> Work:
        return Work(self.seconds * number, self.operations * number)


def measured(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, Work]:
    """Return what each function takes, the shortest of so many turns."""
    operations = {name: flops(function) for name, function in functions.items()}  # which warms them up as well
    seconds = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            seconds[name] = min(seconds[name], time.process_time() - start)
    return {name: Work(seconds[name], operations[name]) for name in functions}


def text_step(encoder: ClipEncoder, prompts: DualPrompts) -> None:
    """Both prompts of all classes, forward and backward."""
    positive, negative = prompts(encoder.text, None)
    (positive.float().sum() + negative.float().square().sum()).backward()


def image_step(encoder: ClipEncoder, tokens: Tensor, layer: int) -> None:
    """The layers from one on, forward and backward to their prompts."""
    encoder.tower(tokens, layer).float().square()[:, 0].sum().backward()


def cost_of(encoder: ClipEncoder, classes: int, repeats: int) -> None:
    """Print what detection takes beside one pass, per number of layers with prompts."""
    dtype, depth = resolve_precision("auto", CPU), len(encoder.layers)
    pixels = torch.randn(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    prompts = DualPrompts(encoder.text, class_names(classes), PromptSettings(length=16))
    with autocast(dtype, CPU), torch.no_grad():
        entering = {count: encoder.enter(pixels, depth - count).half().float() for count in LAYERS}

    def frozen(function: Callable[[], object]) -> None:
        with autocast(dtype, CPU), torch.no_grad():
            function()

    def prompted(function: Callable[[], object], count: int) -> None:
        with VPT(length=20, layers=count).attach(encoder, seed=0), autocast(dtype, CPU):
            function()

    def learning(function: Callable[[], object]) -> None:
        with autocast(dtype, CPU):
            function()

    runs: dict[str, Callable[[], object]] = {
        "pass": partial(frozen, partial(encoder.encode_images, pixels)),
        "text": partial(learning, partial(text_step, encoder, prompts)),
    }
    for count in LAYERS:
        layer = depth - count
        runs[f"below {count}"] = partial(frozen, partial(encoder.enter, pixels, layer))
        runs[f"seen {count}"] = partial(frozen, partial(encoder.tower, entering[count], layer))
        runs[f"step {count}"] = partial(prompted, partial(image_step, encoder, entering[count], layer), count)
    took = measured(runs, repeats)
    print(
        f"\nDetection with VPT(20, layers=...) at ViT-B/16, {EPOCHS} epochs, batches of {STEP}, K = {classes}, ", end=""
    )
    print(f"{str(dtype)[6:]}, beside one pass ({took['pass'].seconds / BATCH:.2f} s of processors an image)")
    print("layers   kept  epochs   text  judging    sum  by operations  epochs within 6  MB an image on the disk")
    for count in LAYERS:
        print(_row(took, count, entering[count]), flush=True)
    print(f"aim: at most {AIM}")


def _row(took: dict[str, Work], count: int, tokens: Tensor) -> str:
    whole = count == LAYERS[0]
    parts = [
        Work() if whole else took[f"below {count}"].times(VIEWS),
        took[f"step {count}"].times(EPOCHS),
        took["text"].times(EPOCHS * BATCH / STEP),
        took[f"seen {count}"].times(2),  # the untouched encoder's features, and judging
    ]
    base, total = took["pass"], sum(parts, Work())
    cells = "  ".join(f"{part.seconds / base.seconds:5.2f}" for part in parts)
    disk = 0.0 if whole else VIEWS * tokens[0].numel() * 2 / 1e6
    ratio, counted = total.seconds / base.seconds, total.operations / base.operations
    look = took[f"seen {count}"].times(Stopping().share)
    epoch = (parts[1] + parts[2]).times(1 / EPOCHS) + look
    within = int((AIM * base.seconds - (parts[0] + parts[3]).seconds) / epoch.seconds)
    return f"{count:>6}  {cells:>30}  {ratio:5.2f}  {counted:>13.2f}  {within:>15}  {disk:>23.2f}"


@dataclass(frozen=True)
class Way:
    """A row of the table of F1.

    Args:
        verdict: "evidence" or "weak".
        layers: Those with prompts.
        stopping: When training ends.
    """

    verdict: str
    layers: int
    stopping: Stopping

    def detector(self, encoder: DualEncoder, seed: int) -> DeFT:
        """Return the detector of one run."""
        tuning = VPT(length=20, layers=self.layers)
        weak = DeFT.for_weak_model(encoder, tuning=tuning, seed=seed)
        made = weak if self.verdict == "weak" else DeFT(encoder, tuning=tuning, seed=seed)
        return replace(made, stopping=self.stopping)


def quality(data: Path, rows: tuple[int, int], count: int, seeds: int, patience: list[int]) -> None:
    """Print F1 with `tiny`, prompts in both of its layers and in the last one alone, to the end and stopped early."""
    images = load_images(data / "cifar10n-train.parquet", label_column="label_human", clean_column="label_true")
    whole, early = Stopping(patience=None), [Stopping(patience=number) for number in patience]
    ways = [Way("evidence", layers, stopping) for layers in (2, 1) for stopping in (whole, *early)]
    ways += [Way("weak", layers, whole) for layers in (2, 1)]
    found: dict[Way, list[tuple[float, int]]] = {way: [] for way in ways}
    for seed in range(seeds):
        encoder = remember_stem(load_encoder("tiny", device="cpu"))  # all ways look at the same views
        drawn = rows[0] + np.sort(np.random.default_rng([seed, 1]).permutation(rows[1] - rows[0])[:count])
        for way in ways:
            found[way].append(_f1(way.detector(encoder, seed), images.keep(drawn)))
    print(f"\nF1 with tiny on {count:,} of CIFAR-10N's rows {rows[0]:,} to {rows[1] - 1:,}, labels of people,", end="")
    print(f" {EPOCHS} epochs or fewer (in brackets)")
    print("verdict   layers  patience  " + "  ".join(f"     seed {seed}" for seed in range(seeds)) + "    mean  epochs")
    for way, runs in found.items():
        cells = "  ".join(f"{f1:6.3f} ({epochs:>2})" for f1, epochs in runs)
        means = f"{np.mean([f1 for f1, _ in runs]):6.3f}  {np.mean([epochs for _, epochs in runs]):6.1f}"
        print(f"{way.verdict:<9} {way.layers:>6}  {way.stopping.patience or 'none':>8}  {cells}  {means}", flush=True)


class Epochs(Silent):
    """Remembers the last epoch that was trained."""

    last = 0

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        if task.startswith("Training, epoch"):
            self.last = int(task.split()[-1].partition("/")[0])
        return iter(steps)


def _f1(detector: DeFT, images: LabeledImages) -> tuple[float, int]:
    """Return F1 of one run, and its epochs."""
    epochs = Epochs()
    found = detector.detect(images, workspace=Workspace(workers=1, progress=epochs))
    assert images.clean_labels is not None
    scores = score_detection(found.is_label_issue, found.p_clean, images.labels, images.clean_labels, found.predicted)
    return scores.f1, epochs.last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="*", default=[10, 100], help="numbers of classes K")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each part")
    parser.add_argument("--data", type=Path, help="folder with cifar10n-train.parquet, for F1")
    parser.add_argument("--count", type=int, default=1000, help="photos of a run, for F1")
    parser.add_argument("--seeds", type=int, default=3, help="runs, for F1")
    parser.add_argument("--rows", choices=list(CIFAR), default="tables", help="of CIFAR-10N, for F1")
    parser.add_argument("--patience", type=int, nargs="*", default=[1], help="of early stopping, for F1")
    options = parser.parse_args()
    encoder = build_encoder() if options.classes else None
    for classes in options.classes:
        assert encoder is not None
        cost_of(encoder, classes, options.repeats)
    if options.data is not None:
        quality(options.data, CIFAR[options.rows], options.count, options.seeds, options.patience)


if __name__ == "__main__":
    main()
