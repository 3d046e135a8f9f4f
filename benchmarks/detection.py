"""Who finds wrong labels best: DeFT, its baselines and what people use today, on the same photos and encoder.

    python -m benchmarks.detection --data ../shared/data --photos ../photos    # every setting (benchmarks/verdicts.py)
    python -m benchmarks.detection --data ../shared/data/cifar10n-train.parquet --noise human
    python -m benchmarks.detection --data ../shared/data/cifar10n-train.parquet --noise symmetric --rate 0.4
    python -m benchmarks.tables    # writes docs/benchmarks.md from benchmarks/results/

With `--noise` each method runs in a process of its own, so that its wall time and peak memory are its own; decoding and
the model's start are part of both. One JSON file per method is written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.base import Detector
from deft.detectors.confident_learning import ConfidentLearning
from deft.detectors.deft import DeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.neighbour_vote import NeighbourVote
from deft.detectors.small_loss import SmallLoss
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.metrics import clean_selection, score_detection
from deft.noise import pair_flip, symmetric
from deft.runs.detection import Verdicts
from deft.tuning import VPT, Frozen, Tuning

RESULTS = Path(__file__).parent / "results"
Judge = Callable[[DualEncoder, LabeledImages, int], Verdicts]


def by(build: Callable[[DualEncoder, LabeledImages, int], Detector]) -> Judge:
    """A judge from a detector."""
    return lambda encoder, images, seed: build(encoder, images, seed).detect(images).verdicts


def true_rate(images: LabeledImages) -> float:
    """Share of wrong labels, which only small-loss is told."""
    assert images.clean_labels is not None
    return float((images.labels != images.clean_labels).mean())


def weak(tuning: Tuning, **changes: object) -> Judge:
    """DeFT's preset for a weak model, with other ways of learning or judging if named."""
    return by(lambda encoder, images, seed: changed(DeFT.for_weak_model(encoder, tuning=tuning, seed=seed), changes))


def paper(tuning: Tuning, **changes: object) -> Judge:
    """DeFT with the paper's settings, with other ways of learning or judging if named."""
    return by(lambda encoder, images, seed: changed(DeFT.paper(encoder, tuning=tuning, seed=seed), changes))


def changed(detector: DeFT, changes: Mapping[str, object]) -> DeFT:
    """The same detector with another recipe."""
    return replace(detector, recipe=replace(detector.recipe, **changes))  # type: ignore[arg-type]


METHODS: dict[str, Judge] = {
    "deft-vpt-weak": weak(VPT(length=20)),
    "deft-frozen-weak": weak(Frozen()),
    "deft-vpt-weak-negative": weak(VPT(length=20), verdict="negative"),
    "deft-frozen-weak-both": weak(Frozen(), gradient="both"),
    "deft-vpt": paper(VPT(length=20)),
    "deft-vpt-posterior": paper(VPT(length=20), verdict="posterior"),
    "deft-frozen": paper(Frozen()),
    "deft-frozen-both": paper(Frozen(), gradient="both"),
    "label-match": by(lambda e, i, s: LabelMatch(e)),
    "small-loss": by(lambda e, i, s: SmallLoss(e, noise_rate=true_rate(i), seed=s)),
    "small-loss-estimated": by(lambda e, i, s: SmallLoss(e, seed=s)),
    "small-loss-frozen": by(lambda e, i, s: SmallLoss(e, tuning=Frozen(), noise_rate=true_rate(i), seed=s)),
    "cleanlab": by(lambda e, i, s: ConfidentLearning(e)),
    "disagreement": by(lambda e, i, s: ConfidentLearning(e, rule="predicted_neq_given")),
    "neighbours": by(lambda e, i, s: NeighbourVote(e)),
}


def read(options: argparse.Namespace) -> LabeledImages:
    """The sample with the asked noise: `count` rows from `start` on; the rows are in random order of class."""
    column = "label_human" if options.noise == "human" else "label_true"
    images = load_images(options.data, label_column=column, clean_column="label_true")
    images = images.keep(np.arange(options.start, min(options.start + options.count, len(images))))
    if options.noise != "human":
        make = {"symmetric": symmetric, "pair": pair_flip}[options.noise]
        images = images.relabel(make(images.labels, options.rate, num_classes=len(images.classes), seed=options.seed))
    return images


def run_one(options: argparse.Namespace) -> None:
    """Run one method here, and write its result."""
    start = time.perf_counter()
    images = read(options)
    verdicts = METHODS[options.method](load_encoder(options.model, device="cpu"), images, options.seed)
    seconds = time.perf_counter() - start
    assert images.clean_labels is not None
    scores = score_detection(
        ~verdicts.is_clean, verdicts.p_clean, images.labels, images.clean_labels, verdicts.predicted
    )
    precision, recall = clean_selection(verdicts.is_clean, images.labels, images.clean_labels)
    result = {
        "method": options.method,
        "setting": setting(options),
        "model": options.model,
        "images": len(images),
        "seed": options.seed,
        "scores": asdict(scores),
        "clean_precision": precision,
        "clean_recall": recall,
        "flagged_by_given_class": flagged_by_class(verdicts, images),
        "wall_seconds": round(seconds, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "command": "python -m benchmarks.detection " + " ".join(sys.argv[1:]),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"detection--{setting(options)}--{options.method}--seed{options.seed}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{options.method:<22} F1 {scores.f1:.3f}  P {scores.precision:.3f}  R {scores.recall:.3f}  "
        f"AUROC {scores.auroc:.3f}  AP {scores.average_precision:.3f}  "
        f"rate {scores.estimated_noise_rate:.3f} of {scores.true_noise_rate:.3f}  {seconds:.0f} s",
        flush=True,
    )


def flagged_by_class(verdicts: Verdicts, images: LabeledImages) -> dict[str, float]:
    """Share of each given class that is flagged: a class that a method has lost is flagged as a whole."""
    shares = {name: (~verdicts.is_clean)[images.labels == k].mean() for k, name in enumerate(images.classes)}
    return {name: round(float(share), 3) for name, share in shares.items()}


def setting(options: argparse.Namespace) -> str:
    """Name of what is measured, as in the file names."""
    noise = "human" if options.noise == "human" else f"{options.noise}{options.rate:g}"
    return f"cifar10n-{options.count}-{noise}"


def compare(options: argparse.Namespace) -> None:
    """Run every setting on embeddings that are computed once."""
    from benchmarks import verdicts
    from benchmarks.settings import Bank, settings

    encoder = load_encoder(options.model, device="cpu")
    bank = Bank(options.data, options.photos, options.cache, encoder, rows=options.rows)
    out = options.out if options.rows == "tables" else options.out / "tuning"
    names = options.settings.split(",") if options.settings else list(settings())
    methods = options.methods.split(",") if options.methods else list(verdicts.METHODS)
    verdicts.run(bank, names, methods, [int(seed) for seed in options.seeds.split(",")], out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="cifar10n-train.parquet; without --noise its folder")
    parser.add_argument("--photos", type=Path, help="folder with imagenette and cars, without --noise")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deft-benchmarks", help="of embeddings")
    parser.add_argument(
        "--rows", choices=["tuning", "tables"], default="tables", help="which rows; see benchmarks.settings"
    )
    parser.add_argument("--settings", help="some of benchmarks.settings, with commas; default: all")
    parser.add_argument("--methods", help="some of benchmarks.verdicts, with commas; default: all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=10_000, help="first row; settings were chosen on the rows before")
    parser.add_argument("--noise", choices=["human", "symmetric", "pair"], help="one setting; default: all")
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seed", type=int, default=0, help="of the noise and of the method")
    parser.add_argument("--method", choices=sorted(METHODS), help="one method, in this process; default: all of them")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.noise is None:
        compare(options)
        return
    if options.method:
        run_one(options)
        return
    for method in METHODS:
        subprocess.run([sys.executable, "-m", "benchmarks.detection", *sys.argv[1:], "--method", method], check=True)


if __name__ == "__main__":
    main()
