"""By how much the verdict moves if what the encoder sees moves by a millionth, at several learning rates.

    python -m benchmarks.stability --data ../shared/data --photos ../photos

That is about what another kind of processor does to sums. Rows for tuning, frozen, judged by
`DeFT(encoder)` as typed but for its learning rate: 1 000 photos of CIFAR-10N with people's worst labels, 20 photos of
each class of CIFAR-10 and 2 000 photos of Tiny-ImageNet's 200 classes, with a fifth of the labels wrong.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.settings import Bank, Case, settings
from benchmarks.verdicts import Found, deft, measured
from deft.detectors.deft import DeFT
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder

RATES = (0.03, 0.01, 0.003)
CASES = {"human-worst": 1000, "20-a-class-0.2": 200, "tiny-imagenet-0.2": 2000}
MOVED = 1e-6


def judged(encoder: DualEncoder, case: Case, rate: float, moved: float) -> Found:
    """Return the verdicts at a learning rate, every pooled feature times 1 + moved · a normal number."""
    noise = torch.randn(case.pooled.shape, generator=torch.Generator().manual_seed(0))
    case = replace(case, pooled=case.pooled * (1 + moved * noise))
    base = DeFT(encoder)
    detector = replace(base, optimization=replace(base.optimization, learning_rate=rate))
    return deft(lambda *_: detector)(encoder, case, 0)


def main() -> None:
    """Print a line for each case and rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--photos", type=Path, required=True, help="folder of the full-size photos")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deft-benchmarks", help="of embeddings")
    given = parser.parse_args()
    encoder = load_encoder("tiny", device="cpu")
    bank = Bank(given.data, given.photos, given.cache, encoder, rows="tuning")
    print("| setting | learning rate | F1 | F1 moved | flags that differ | largest difference of a score |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, count in CASES.items():
        case = settings()[name](bank, 0)
        case = case.keep(np.sort(np.random.default_rng(0).permutation(len(case.images))[:count]))
        for rate in RATES:
            first, second = (judged(encoder, case, rate, moved) for moved in (0.0, MOVED))
            scores = " | ".join(f"{measured(case, one)['f1']:.3f}" for one in (first, second))
            differ = int((first.flags != second.flags).sum())
            most = float(np.nanmax(np.abs(first.p_right - second.p_right)))
            print(f"| {name} | {rate} | {scores} | {differ} of {len(case.images)} | {most:.2g} |", flush=True)


if __name__ == "__main__":
    main()
