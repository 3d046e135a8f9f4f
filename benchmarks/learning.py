"""Which way of learning from noisy labels gives the best classifier: every method, the same photos, the same backbone.

    python -m benchmarks.learning --data ../shared/data --noise human
    python -m benchmarks.learning --data ../shared/data --noise symmetric --rate 0.4
    python -m benchmarks.learning --data ../shared/data --noise human --tune     # learning rate, on noisy labels
    python -m benchmarks.learning --data ../shared/data --costs                  # seconds per epoch against CE's
    python -m benchmarks.tables    # writes docs/benchmarks.md from benchmarks/results/

The backbone is the image half of `tiny`: the convolutional trunk is its stem and stays as it is, the transformer layers
and a new linear head learn (what the authors' code calls full fine-tuning also leaves the stem alone). Every method has
the same epochs, batch size and learning rate, which was chosen for CE on held-out noisy labels. Test accuracy is
measured after every epoch; nothing is chosen by it: "last" is the result, "best" is reported as the paper does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.cifar10n import CPU, kept_tokens, read_photos
from deft.classifiers.base import Classifier
from deft.classifiers.linear import LinearClassifier
from deft.data.images import LabeledImages
from deft.detectors.deft import DeFT
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.methods.base import Method, TrainingContext
from deft.methods.co_teaching import CoTeaching
from deft.methods.cross_entropy import CE
from deft.methods.elr import ELR
from deft.methods.gce import GCE, TruncatedGCE
from deft.methods.gmm import GMM
from deft.methods.longremix import LongReMix
from deft.methods.promix import ProMix
from deft.methods.rolt import RoLT
from deft.methods.sce import SCE
from deft.methods.turn import TURN
from deft.methods.unicon import UNICON
from deft.metrics import clean_selection
from deft.noise import instance_dependent, symmetric
from deft.training.batches import Batches, Loader
from deft.training.loop import Training, epochs_of
from deft.training.optimization import Optimization
from deft.training.precision import autocast, resolve_precision
from deft.tuning import VPT, Full

RESULTS = Path(__file__).parent / "results"
WEAK, STRONG = 4, 3
BATCH = 64

METHODS: dict[str, Method] = {
    "ce": CE(),
    "gce": GCE(),
    "truncated-gce": TruncatedGCE(),
    "sce": SCE(),
    "elr": ELR(),
    "elr-corrected": ELR(corrected=True),
    "gmm": GMM(),
    "co-teaching-1": CoTeaching(networks=1),
    "co-teaching-2": CoTeaching(networks=2),
    "rolt": RoLT(),
    # A probe's rate of 0.1: the default factor of 200 is for the 5e-4 of DeFT's second phase, and diverged at 0.01.
    "turn": TURN(probe_rate=10),
    "unicon": UNICON(),
    "unicon-gentle": UNICON(guesses=1.0),
    "longremix": LongReMix(),
    "promix": ProMix(),
}
TOLD_THE_RATE = ("co-teaching-1", "co-teaching-2")
DEFT = "deft"


def noisy(images: LabeledImages, options: argparse.Namespace, tokens: Loader) -> LabeledImages:
    """The photos with the asked labels."""
    assert images.clean_labels is not None
    classes, seed = len(images.classes), options.seed
    match options.noise:
        case "human":
            return images
        case "clean":
            labels = images.clean_labels
        case "symmetric":
            labels = symmetric(images.clean_labels, options.rate, num_classes=classes, seed=seed)
        case _:
            features = tokens.load(np.arange(len(images)), None)[:, 0].numpy()
            labels = instance_dependent(features, images.clean_labels, options.rate, num_classes=classes, seed=seed)
    return images.relabel(labels)


def network(encoder: DualEncoder, classes: int, seed: int) -> LinearClassifier:
    """The image half of the encoder with a fresh head; its stem is not in the graph, so it doesn't move."""
    return LinearClassifier(encoder, Full(), classes, entry="tokens", seed=seed)


def accuracy(method: Training, test: Batches) -> float:
    """Share of the test photos that a method gets right."""
    right = 0
    with torch.no_grad(), autocast(resolve_precision("auto", CPU), CPU):
        for batch in test.ordered():
            right += int((method.predict(batch.inputs).argmax(dim=1) == batch.labels).sum())
    return right / len(test.rows)


class Run:
    """One sample of photos with one kind of noise, and what is needed to train on it.

    Args:
        options: Of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.encoder = load_encoder("tiny", device="cpu")
        photos = read_photos(options.data, start=options.start, count=options.count, test=options.test)
        cache = options.cache
        name = f"train-{options.start}-{options.count}.npy"
        tokens = kept_tokens(self.encoder, photos.train, cache / name, weak=WEAK, strong=STRONG)
        test = kept_tokens(self.encoder, photos.test, cache / f"test-{options.test}.npy", weak=1, strong=0)
        self.images = noisy(photos.train, options, tokens)
        self.photos = photos
        self.train = self._batches(tokens, self.images.labels, np.arange(len(self.images)))
        self.test = self._batches(test, photos.test.labels, np.arange(len(photos.test)), size=500)
        self.classes = len(self.images.classes)
        self.build: Callable[[int], Classifier] = partial(network, self.encoder, self.classes)

    def _batches(self, loader: Loader, labels: np.ndarray, rows: np.ndarray, *, size: int = BATCH) -> Batches:
        return Batches(loader, labels, rows, batch_size=size, seed=self.options.seed, device=CPU)

    @property
    def true_rate(self) -> float:
        """Share of wrong labels."""
        return float((self.images.labels != self.images.clean_labels).mean())

    def fit(self, name: str, method: Method, rows: np.ndarray, judge: Callable[[Training], float]) -> list[float]:
        """Train on some rows; what a judge says after every epoch."""
        options = self.options
        setting = TrainingContext(
            network=self.build,
            labels=self.images.labels,
            rows=rows,
            classes=self.classes,
            epochs=options.epochs,
            seed=options.seed,
            device=CPU,
            noise_rate=self.true_rate if name in TOLD_THE_RATE else None,
        )
        built = method.build(setting)
        train = replace_rows(self.train, rows)
        settings = Optimization(learning_rate=options.learning_rate, clip=1.0)
        epochs = epochs_of(built, train, epochs=options.epochs, optimization=settings, seed=options.seed)
        return [judge(built) for _ in epochs]


def replace_rows(train: Batches, rows: np.ndarray) -> Batches:
    """The same batches over some of the rows."""
    return Batches(train.loader, train.labels, rows, batch_size=BATCH, seed=train.seed, device=CPU)


def run_one(options: argparse.Namespace) -> None:
    """Train one method here, and write its result."""
    run = Run(options)
    start = time.perf_counter()
    rows = np.arange(len(run.images))
    extra: dict[str, float] = {}
    if options.method == DEFT:
        rows, extra = first_phase(run)
    name = "ce" if options.method == DEFT else options.method
    scores = run.fit(name, METHODS[name], rows, partial(accuracy, test=run.test))
    result = {
        "method": options.method,
        "setting": setting(options),
        "images": len(run.images),
        "test_images": len(run.photos.test),
        "true_noise_rate": run.true_rate,
        "seed": options.seed,
        "epochs": options.epochs,
        "learning_rate": options.learning_rate,
        "accuracy": scores,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "settings": METHODS[name].settings(),
        "command": "python -m benchmarks.learning " + " ".join(sys.argv[1:]),
        **extra,
    }
    write(options, result)
    note = "  ".join(f"{key} {value:.3f}" for key, value in extra.items())
    print(f"{options.method:<16} last {scores[-1]:.4f}  best {max(scores):.4f}  {note}", flush=True)


def first_phase(run: Run) -> tuple[np.ndarray, dict[str, float]]:
    """DeFT's verdicts on the photos: the rows to keep, and how good the first phase is by itself."""
    detector = DeFT.for_weak_model(run.encoder, tuning=VPT(length=20), seed=run.options.seed)
    trained, found = detector.train(run.images)
    # Without the noise transition: what the prompts say of a photo, not of a photo and its label.
    told = replace(trained, transition=None).detect(run.photos.test)
    assert run.images.clean_labels is not None
    precision, recall = clean_selection(found.is_clean, run.images.labels, run.images.clean_labels)
    extra = {
        "phase1_accuracy": float((told.predicted == run.photos.test.labels).mean()),
        "clean_precision": precision,
        "clean_recall": recall,
    }
    return np.flatnonzero(found.is_clean), extra


def tune(options: argparse.Namespace) -> None:
    """CE's accuracy on held-out labels, wrong ones included, for several learning rates."""
    run = Run(options)
    rows = np.random.default_rng(1).permutation(len(run.images))
    kept, held = rows[: int(0.8 * len(rows))], rows[int(0.8 * len(rows)) :]
    judge = partial(accuracy, test=replace_rows(run.train, held))
    for rate in (1e-3, 3e-3, 1e-2, 3e-2, 1e-1):
        run.options.learning_rate = rate
        scores = run.fit("ce", CE(), kept, judge)
        print(f"learning rate {rate:<7} last {scores[-1]:.4f}  best {max(scores):.4f}", flush=True)


def costs(options: argparse.Namespace) -> None:
    """Seconds per epoch of every method over those of CE, from one process, each after a first epoch."""
    run = Run(options)
    rows = np.arange(len(run.images))
    seconds: dict[str, float] = {}
    for name, method in METHODS.items():
        marks = [time.perf_counter()]

        def judge(built: Training, marks: list[float] = marks) -> float:
            marks.append(time.perf_counter())
            return 0.0

        run.fit(name, method, rows, judge)
        # The second half of the epochs: every warm-up is over by then.
        late = np.diff(marks)[len(marks) // 2 :]
        seconds[name] = float(np.mean(late))
        print(f"{name:<16} {seconds[name]:.2f} s per epoch, {seconds[name] / seconds['ce']:.1f} times CE", flush=True)
    result = {
        "images": len(rows),
        "epochs": options.epochs,
        "relative": {name: value / seconds["ce"] for name, value in seconds.items()},
        "ce_seconds": seconds["ce"],
        "command": "python -m benchmarks.learning " + " ".join(sys.argv[1:]),
    }
    (options.out / "learning-costs.json").write_text(json.dumps(result, indent=1) + "\n")


def setting(options: argparse.Namespace) -> str:
    """A name for the data and its noise."""
    rate = "" if options.noise in ("human", "clean") else str(options.rate)
    return f"cifar10n-{options.count}-{options.noise}{rate}"


def write(options: argparse.Namespace, result: dict[str, object]) -> None:
    """One JSON file per method, setting and seed."""
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"learning--{setting(options)}--{options.method}--seed{options.seed}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the Parquet files")
    parser.add_argument("--noise", choices=["human", "clean", "symmetric", "instance"], default="human")
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--start", type=int, default=20000, help="first row of CIFAR-10N")
    parser.add_argument("--count", type=int, default=2000, help="photos to train on")
    parser.add_argument("--test", type=int, default=3000, help="photos to test on, from the start of the test set")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", nargs="*", help="run only these")
    parser.add_argument("--here", action="store_true", help="run the one method in this process")
    parser.add_argument("--jobs", type=int, default=1, help="methods at a time")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/deft-bank"), help="where kept tokens lie")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.tune:
        return tune(options)
    if options.costs:
        return costs(options)
    names = options.method or [*METHODS, DEFT]
    if options.here:
        (options.method,) = names
        return run_one(options)
    Run(options)  # keeps the tokens, so that no two processes compute them
    plain = [argument for argument in sys.argv[1:] if argument not in ("--method", *names)]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(partial(run_apart, plain, options.jobs), names))
    return None


def run_apart(arguments: list[str], jobs: int, name: str) -> None:
    """Train one method in a process of its own, with its share of the cores."""
    command = [sys.executable, "-m", "benchmarks.learning", *arguments, "--here", "--method", name]
    threads = str(max((os.cpu_count() or 1) // jobs, 1))
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": threads})


if __name__ == "__main__":
    main()
