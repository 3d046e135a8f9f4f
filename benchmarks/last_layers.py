"""What VPT in the last layers alone costs beside one pass of the encoder, and what it does to the verdict.

    python -m benchmarks.last_layers                                     # cost, random ViT-B/16
    python -m benchmarks.last_layers --data DATA                         # and F1 with `tiny` on CIFAR-10N, three seeds

The pass and all parts of a detection are timed apart, in bfloat16 where the machine has it, and put together for
every image: its two views up to the first prompted layer, once; ten epochs from there, forward and backward, with the
text tower's share of a batch; the untouched encoder's features, which the default verdict reads; judging. Seconds are
the processors' own, the shortest of several turns, so that other jobs count for little; operations are counted, too.

F1 is that of `DeFT(encoder, tuning=VPT(...))` on rows of CIFAR-10N that settings were chosen on (0 to 9,999).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed import BATCH, build_encoder, class_names, flops
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.encoders.clip import ClipEncoder
from deft.encoders.load import load_encoder
from deft.metrics import score_detection
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
    print("layers   kept  epochs   text  judging    sum  by operations  MB an image on the disk")
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
    return f"{count:>6}  {cells:>30}  {ratio:5.2f}  {counted:>13.2f}  {disk:>23.2f}"


def quality(data: Path, count: int, seeds: int) -> None:
    """Print F1 with `tiny`, prompts in both of its layers and in the last one alone."""
    images = load_images(data / "cifar10n-train.parquet", label_column="label_human", clean_column="label_true")
    encoder = load_encoder("tiny", device="cpu")
    print(f"\nF1 with tiny on {count:,} of CIFAR-10N's rows 0 to 9,999, labels of people, {EPOCHS} epochs")
    print("verdict   layers  " + "  ".join(f"seed {seed}" for seed in range(seeds)) + "    mean")
    for verdict in ("evidence", "weak"):
        for layers in (2, 1):
            tuning = VPT(length=20, layers=layers)
            found = []
            for seed in range(seeds):
                rows = np.sort(np.random.default_rng([seed, 1]).permutation(10_000)[:count])
                part = images.keep(rows)
                make = DeFT.for_weak_model(encoder, tuning=tuning, seed=seed)
                detector = DeFT(encoder, tuning=tuning, seed=seed) if verdict == "evidence" else make
                result = detector.detect(part, workspace=Workspace(workers=1))
                assert part.clean_labels is not None
                found.append(
                    score_detection(
                        result.is_label_issue, result.p_clean, part.labels, part.clean_labels, result.predicted
                    ).f1
                )
            print(f"{verdict:<9} {layers:>6}  " + "  ".join(f"{one:6.3f}" for one in found), end="")
            print(f"  {sum(found) / len(found):6.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="*", default=[10, 100], help="numbers of classes K")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each part")
    parser.add_argument("--data", type=Path, help="folder with cifar10n-train.parquet, for F1")
    parser.add_argument("--count", type=int, default=1000, help="photos of a run, for F1")
    parser.add_argument("--seeds", type=int, default=3, help="runs, for F1")
    options = parser.parse_args()
    encoder = build_encoder() if options.classes else None
    for classes in options.classes:
        assert encoder is not None
        cost_of(encoder, classes, options.repeats)
    if options.data is not None:
        quality(options.data, options.count, options.seeds)


if __name__ == "__main__":
    main()
