"""What deft takes beside the plain way, one pass of the encoder and cleanlab's road, as ratios from one run.

    python -m benchmarks.speed                        # everything: eight minutes on two quiet cores
    python -m benchmarks.speed --classes 50 100 200 --steps 100 200 --presets   # at more numbers of classes, and more
    python -m benchmarks.speed --steps --frozen --layers   # the text path alone
    python -m benchmarks.frozen_speed                 # frozen detection alone, from 10 to 10,000 classes
    python -m benchmarks.last_layers                  # visual prompts in the last layers alone

Four tables: the text path; a step of the paper's first phase; frozen detection beside one pass, with cleanlab's whole
road of embedding and five folds; detection with visual prompts in the last layers.

The plain way is what the authors' code does: both prompt sets through all 77 tokens of every class, three softmaxes
over all classes, float32, visual prompts as tokens of every layer (Hugging Face's own layers), and one image
transformed after the other. Weights are random, of CLIP ViT-B/16's size.

"Limit" is what the ratio would be if a step took no longer than its matrix products at this machine's measured rate:
once for the operations that deft's step does, once for those it would do if the image tower were computed in full.
docs/speed.md quotes the output.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference_step import PROMPTS, PlainStep, plain_images, plain_prompts
from deft.data.image_spec import ImageSpec
from deft.detectors.deft_training import DualPromptTraining, Recipe
from deft.encoders.clip import ClipEncoder
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.training.augment import crop_and_flip
from deft.training.batches import Batch
from deft.training.precision import autocast, resolve_precision
from deft.tuning import VPT

BATCH = 16
HALF = torch.bfloat16
SPEC = ImageSpec(224, (0.481, 0.458, 0.408), (0.269, 0.261, 0.276))


class Words:
    """A stand-in for CLIP's tokenizer: one id per word, the same in every run; a number is its own."""

    bos_token_id = 49406
    eos_token_id = 49407

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        if text == ".":
            return {"input_ids": [269]}
        words = text.split()
        return {"input_ids": [int(word) if word.isdigit() else 500 + crc32(word.encode()) % 39500 for word in words]}


def class_names(count: int) -> list[str]:
    """Names of one to three tokens, as those of CIFAR-100 and ImageNet are."""
    rng = random.Random(0)
    return [" ".join(str(rng.randrange(500, 40000)) for _ in range(rng.choice([1, 1, 2, 2, 3]))) for _ in range(count)]


def build_model() -> Any:
    """Hugging Face's CLIP of ViT-B/16's size, the same random weights at every call."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"eos_token_id": 49407, "bos_token_id": 49406}
    config = CLIPConfig(text_config=text, vision_config={"patch_size": 16})
    return CLIPModel(config).eval().requires_grad_(False)


def build_encoder() -> ClipEncoder:
    """CLIP ViT-B/16 with random weights."""
    return ClipEncoder(build_model(), Words(), SPEC, "random ViT-B/16")


def best_of(function: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Shortest of several runs after one that is not counted, in seconds of a clock."""
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


@dataclass(frozen=True)
class Took:
    """Shortest run by the clock and by the processors' own time, in seconds.

    On a machine that others use too, the second says more: it doesn't count the time that they had.
    """

    clock: float = float("inf")
    processors: float = float("inf")

    def __str__(self) -> str:
        return f"{self.clock:6.2f} s  ({self.processors:6.2f} s of processors)"

    def and_of(self, function: Callable[[], object]) -> Took:
        """With one more run."""
        clock, processors = time.perf_counter(), time.process_time()
        function()
        clock, processors = time.perf_counter() - clock, time.process_time() - processors
        return Took(min(self.clock, clock), min(self.processors, processors))


def in_turn(functions: list[Callable[[], object]], repeats: list[int], rounds: int = 2) -> list[Took]:
    """Shortest runs of each function; they take turns, so that all meet the machine in the same states."""
    shortest = [Took()] * len(functions)
    for _ in range(rounds):
        for place, (function, count) in enumerate(zip(functions, repeats, strict=True)):
            for _ in range(count):
                shortest[place] = shortest[place].and_of(function)
    return shortest


def flops(function: Callable[[], object]) -> float:
    """Floating-point operations of the matrix products of one call, those of the attention among them."""
    # The counter doesn't know the CPU's fused attention, so attention is made of plain products while it counts.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function()
    return float(counter.get_total_flops())


def peak_rate(dtype: torch.dtype) -> float:
    """Operations per second of this machine's matrix product, at the shapes of ViT-B/16's layers."""
    left, right = torch.randn(BATCH * 217, 768, dtype=dtype), torch.randn(3072, 768, dtype=dtype)
    seconds = best_of(lambda: F.linear(left, right), 10)
    return 2 * left.shape[0] * 768 * 3072 / seconds


@dataclass
class TextCase:
    """One prompt set, or both, forward and backward, the short way and the plain way."""

    encoder: ClipEncoder
    classes: int

    def __post_init__(self) -> None:
        self.prompts = DualPrompts(self.encoder.text, class_names(self.classes), PromptSettings(length=16))
        generator = torch.Generator().manual_seed(1)
        self.weights = torch.randn(1, self.classes, 512, generator=generator)

    def _context(self) -> Tensor:
        return self.prompts.positive.detach()[None].clone().requires_grad_()

    def short(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        context = self._context()
        with autocast(dtype, torch.device("cpu")):
            features = self.encoder.text.encode_plan(self.prompts.plan, context)
        return features.detach(), torch.autograd.grad((features.float() * self.weights).sum(), context)[0]

    def plain(self) -> tuple[Tensor, Tensor]:
        context = self._context()
        features = plain_prompts(self.encoder, self.prompts.plan, context[0])[None]
        return features.detach(), torch.autograd.grad((features * self.weights).sum(), context)[0]


class ShortStep:
    """One step of deft's phase 1 on batched pixels.

    Args:
        encoder: The model.
        classes: Number of classes.
        pixels: Photos, uint8 (B, H, W, 3).
        labels: Their classes, (B,).
        whole: Computes the image tower in full instead, with this model of Hugging Face's.
    """

    def __init__(
        self, encoder: ClipEncoder, classes: int, pixels: np.ndarray, labels: Tensor, whole: Any = None
    ) -> None:
        self.attachment = VPT(length=PROMPTS).attach(encoder, seed=0)
        encode = encoder.encode_images
        if whole is not None:
            encode = partial(plain_images, whole, prompts=self.attachment.weights["prompts"])
        prompts = DualPrompts(encoder.text, class_names(classes), PromptSettings(length=16))
        self.method = DualPromptTraining(encoder, encode, prompts, self.attachment, Recipe())
        self.optimizer = torch.optim.SGD(self.method.parameters(), lr=0.03, momentum=0.9)
        self.pixels, self.labels = torch.from_numpy(pixels), labels
        self.mean, self.std = (
            torch.tensor(SPEC.mean).view(1, 3, 1, 1),
            torch.tensor(SPEC.std).view(1, 3, 1, 1),
        )

    def run(self, dtype: torch.dtype) -> None:
        device = torch.device("cpu")
        cropped = crop_and_flip(self.pixels.permute(0, 3, 1, 2), np.random.default_rng(0))
        inputs = (cropped.float() / 255 - self.mean) / self.std
        batch = Batch(inputs, self.labels, torch.arange(len(self.labels)))
        with autocast(dtype, device):
            texts = self.method.text_features()
            positive_sim, negative_sim, _ = self.method.scores(batch.inputs, texts)
            other = (batch.labels + 1) % positive_sim.shape[1]
            loss = self.method._loss(batch, positive_sim, negative_sim, other, epoch=3)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def text_path(encoder: ClipEncoder, numbers: list[int]) -> None:
    print("\nText path, one prompt set, forward + backward, CLIP ViT-B/16's text size, 16 context tokens")
    print(f"{'K':>5} {'plain s':>9} {'short s':>9} {'bf16 s':>9} {'ratio':>7} {'features':>10} {'gradient':>10}")
    for classes in numbers:
        case = TextCase(encoder, classes)
        short, plain = case.short(), case.plain()
        features = float((short[0] - plain[0]).abs().max())
        gradient = float((short[1] - plain[1]).norm() / plain[1].norm())
        fast, half = best_of(case.short, 5), best_of(partial(case.short, torch.bfloat16), 5)
        slow = best_of(case.plain, 1)
        print(
            f"{classes:>5} {slow:>9.2f} {fast:>9.3f} {half:>9.3f} {slow / fast:>7.1f} "
            f"{features:>10.1e} {gradient:>10.1e}"
        )


def whole_step(encoder: ClipEncoder, model: Any, classes: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(BATCH, 224, 224, 3), dtype=np.uint8)
    labels = torch.from_numpy(rng.integers(classes, size=BATCH))
    plain = PlainStep(encoder, model, class_names(classes), pixels, labels)
    whole = ShortStep(encoder, classes, pixels, labels, whole=model)
    whole.attachment.detach()
    short = ShortStep(encoder, classes, pixels, labels)
    runs: list[Callable[[], object]] = [plain.run, partial(short.run, torch.float32), partial(short.run, HALF)]
    # Counting is the run that warms up.
    work, full, own = flops(plain.run), flops(partial(whole.run, torch.float32)), flops(runs[2])
    slow, exact, half = in_turn(runs, [1, 2, 4])
    short.attachment.detach()
    print(f"\nPhase-1 step, ViT-B/16, VPT-deep {PROMPTS}, batch {BATCH}, K = {classes}")
    print(f"  plain, float32   {slow}  {work / 1e12:5.2f} Tflop")
    for dtype, took in ((torch.float32, exact), (HALF, half)):
        print(f"  deft, {str(dtype)[6:]:<9}  {took}  {compared(slow, took, own, dtype)}")
    print(
        f"  With the whole image tower a step would take {full / 1e12:.2f} Tflop: limits smaller by {own / full:.2f}."
    )


def compared(slow: Took, took: Took, work: float, dtype: torch.dtype) -> str:
    """How a step of so many operations stands to the plain one, and to the machine's limit."""
    ratio, limit = slow.clock / took.clock, slow.clock / (work / peak_rate(dtype))
    mark = "  <- precision auto" if dtype == resolve_precision("auto", torch.device("cpu")) else ""
    return (
        f"{work / 1e12:5.2f} Tflop; {ratio:.1f} times faster ({slow.processors / took.processors:.1f}), "
        f"{ratio / limit:.0%} of the limit {limit:.1f}{mark}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[100], help="numbers of classes K of the text path")
    parser.add_argument("--steps", type=int, nargs="*", default=[100], help="K of whole steps")
    parser.add_argument("--frozen", type=int, nargs="*", default=[10, 200, 1000, 10_000], help="K of frozen detection")
    parser.add_argument("--layers", type=int, nargs="*", default=[100], help="K of prompts in the last layers")
    parser.add_argument("--count", type=int, default=5000, help="images of frozen detection")
    parser.add_argument("--pass", dest="passed", type=int, default=1000, help="images that its pass is timed on")
    parser.add_argument("--presets", action="store_true", help="frozen detection with the presets' settings as well")
    options = parser.parse_args()
    encoder, model = build_encoder(), build_model()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    rates = {dtype: peak_rate(dtype) / 1e9 for dtype in (torch.float32, torch.bfloat16)}
    print(
        "matrix product at ViT-B/16's shapes: " + ", ".join(f"{str(d)[6:]} {r:.0f} GFLOP/s" for d, r in rates.items())
    )
    text_path(encoder, options.classes)
    for classes in options.steps:
        whole_step(encoder, model, classes)
    if options.frozen:
        from benchmarks.frozen_speed import frozen_table

        frozen_table(options.count, options.frozen, presets=options.presets, passed=options.passed)
    if options.layers:
        from benchmarks.last_layers import cost_of

        for classes in options.layers:
            cost_of(encoder, classes, repeats=2)


if __name__ == "__main__":
    main()
