"""The paper's first finding, on `tiny`: how full fine-tuning and its lighter rivals take wrong labels.

    python -m benchmarks.paradigms --data ../shared/data           # all of them, four noise rates
    python -m benchmarks.paradigms --data ../shared/data --draw    # docs/pictures/paradigms.png from the results

Every paradigm learns from the same photos by plain cross-entropy, on clean labels and with 20, 40 and 60 % symmetric
noise; test accuracy after the last epoch. As in benchmarks.learning the convolutional trunk is the stem and stays. Each
has the learning rate that was best for it at 40 % noise on held-out wrong labels, out of a few (`--tune`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.learning import Run, accuracy, arguments, replace_rows
from deft.classifiers.base import Classifier
from deft.classifiers.linear import LinearClassifier
from deft.classifiers.prompted import PromptClassifier
from deft.methods.cross_entropy import CE
from deft.tuning import VPT, Adapter, Bias, Frozen, Full, LoRA, Tuning

RESULTS = Path(__file__).parent / "results"
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "paradigms.png"
RATES = (0.0, 0.2, 0.4, 0.6)
TRIED = (3e-3, 1e-2, 3e-2, 1e-1)

Build = Callable[[Run, int], Classifier]


def linear(tuning: Tuning) -> Build:
    """A tuning of the image half with a linear head."""
    return lambda run, seed: LinearClassifier(run.encoder, tuning, run.classes, entry="tokens", seed=seed)


def textual(tuning: Tuning) -> Build:
    """A tuning of the image half with learned prompts as the classifier."""
    return lambda run, seed: PromptClassifier(run.encoder, tuning, run.images.classes, entry="tokens", seed=seed)


# Each with the learning rate that --tune found.
PARADIGMS: dict[str, tuple[Build, float]] = {
    "full fine-tuning": (linear(Full()), 0.03),
    "LoRA": (linear(LoRA()), 0.03),
    "adapter": (linear(Adapter()), 0.03),
    "bias": (linear(Bias()), 0.03),
    "VPT": (linear(VPT(length=20)), 0.03),
    "VLPT": (textual(VPT(length=20)), 0.1),
    "linear probe": (linear(Frozen()), 0.03),
}


def compare(options: argparse.Namespace) -> None:
    """Train every paradigm at every noise rate, and write what came out."""
    found: dict[str, list[float]] = {}
    for name, (build, rate) in PARADIGMS.items():
        found[name] = []
        for noise in RATES:
            run = noisy_run(options, noise)
            run.options.learning_rate = rate
            run.build = partial(build, run)
            scores = run.fit("ce", CE(), np.arange(len(run.images)), partial(accuracy, test=run.test))
            found[name].append(scores[-1])
            print(f"{name:<18} {noise:>4.0%} noise: last {scores[-1]:.4f}  best {max(scores):.4f}", flush=True)
    result = {
        "images": options.count,
        "epochs": options.epochs,
        "noise": list(RATES),
        "accuracy": found,
        "learning_rates": {name: rate for name, (_, rate) in PARADIGMS.items()},
        "command": "python -m benchmarks.paradigms " + " ".join(sys.argv[1:]),
    }
    (options.out / "paradigms.json").write_text(json.dumps(result, indent=1) + "\n")


def tune(options: argparse.Namespace) -> None:
    """Accuracy of each paradigm on held-out labels at 40 % noise, for several learning rates."""
    for name, (build, _) in PARADIGMS.items():
        run = noisy_run(options, 0.4)
        rows = np.random.default_rng(1).permutation(len(run.images))
        kept, held = np.array_split(rows, [int(0.8 * len(rows))])
        run.build = partial(build, run)
        judged = []
        for rate in TRIED:
            run.options.learning_rate = rate
            scores = run.fit("ce", CE(), kept, partial(accuracy, test=replace_rows(run.train, held)))
            judged.append(f"{rate:g}: {scores[-1]:.4f}")
        print(f"{name:<18} " + "   ".join(judged), flush=True)


def noisy_run(options: argparse.Namespace, noise: float) -> Run:
    """The photos with symmetric noise of a rate, or with their true labels."""
    options.noise, options.rate = ("symmetric", noise) if noise else ("clean", 0.0)
    return Run(options)


def draw() -> None:
    """The accuracies as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    result = json.loads((RESULTS / "paradigms.json").read_text())
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    for name, scores in result["accuracy"].items():
        (line,) = axes.plot([100 * x for x in result["noise"]], [100 * y for y in scores], "o-", label=name)
        if name == "full fine-tuning":
            line.set(color="#c0392b", linewidth=2.4, zorder=3)
    axes.set(xlabel="wrong labels, %", ylabel="test accuracy, %", title="CIFAR-10, tiny, cross-entropy on all labels")
    axes.set_xticks([100 * rate for rate in result["noise"]])
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    if "--draw" in sys.argv:
        return draw()
    options = arguments()
    return tune(options) if options.tune else compare(options)


if __name__ == "__main__":
    main()
