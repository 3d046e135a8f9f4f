"""DeFT as typed against its peers, on the same embeddings, in many settings: the table of docs/benchmarks.md.

    python -m benchmarks.detection --data ../shared/data --photos ../photos    # every setting and method, three seeds
    python -m benchmarks.detection ... --settings human-worst,cars-0.2 --methods deft,cleanlab --seeds 0

Embeddings are computed once per data set and model and kept; peers get the pooled features that DeFT gets. One JSON
file per setting, method and seed is written to benchmarks/results/.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.settings import Bank, Case, inputs_of, settings
from deft.detectors.clip_cleaner import CLIPCleaner
from deft.detectors.confident_learning import Rule, flagged_by
from deft.detectors.deft import DeFT
from deft.detectors.deft_weighing import frozen_features
from deft.detectors.neighbour_vote import NeighbourVote
from deft.detectors.on_features import FeatureDetector
from deft.encoders.base import DualEncoder
from deft.evidence.folds import content_keys
from deft.evidence.probe import probe
from deft.metrics import score_detection
from deft.prompts.templates import class_features
from deft.training.workspace import Workspace
from deft.tuning import Frozen

RESULTS = Path(__file__).parent / "results"
RULES: tuple[Rule, ...] = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "low_normalized_margin",
)
BINS = 15


class Found(NamedTuple):
    """What a method says of labels.

    Args:
        flags: Whether each label is flagged, (N,).
        p_right: The probability that it is right, (N,).
        suggested: The class in its place, (N,).
        interval: Between which rates the noise rate lies, of a method that says so.
    """

    flags: np.ndarray
    p_right: np.ndarray
    suggested: np.ndarray
    interval: tuple[float, float] | None = None


Judge = Callable[[DualEncoder, Case, int], Found]


def deft(build: Callable[[DualEncoder, int], DeFT]) -> Judge:
    """Return a judge that runs a detector on kept embeddings."""

    def judge(encoder: DualEncoder, case: Case, seed: int) -> Found:
        detector = build(encoder, seed)
        features = case.pooled if detector.recipe.features == "pooled" else case.joint
        inputs, space = inputs_of(features, case.images, encoder, detector.reading), Workspace()
        with frozen_features(encoder, detector.tuning, detector.recipe, inputs, space, detector.reading) as frozen:
            trained, verdicts = detector.learn(case.images, inputs, frozen, space)
        interval = trained.told(verdicts, inputs.trusted).get("evidence", {}).get("noise_rate_interval")
        return Found(~verdicts.is_clean, verdicts.p_clean, verdicts.predicted, interval)

    return judge


class Probe:
    """The linear probe of the peers; the last case is remembered, so that all rules share one regression."""

    def __init__(self) -> None:
        self._last: tuple[Case, np.ndarray] | None = None

    def probabilities(self, case: Case) -> np.ndarray:
        """Return out-of-fold probabilities, (N, K)."""
        if self._last is None or self._last[0] is not case:
            keys = content_keys(case.images.content_id)
            probs = probe(case.pooled.numpy(), case.images.labels, keys, classes=len(case.images.classes))
            self._last = (case, probs)
        return self._last[1]


PROBE = Probe()


def peer(build: Callable[[DualEncoder, int], FeatureDetector]) -> Judge:
    """Return a judge that runs a detector of features on kept embeddings."""

    def judge(encoder: DualEncoder, case: Case, seed: int) -> Found:
        detector = build(encoder, seed)
        seen = detector.look(case.images, inputs_of(case.pooled, case.images, encoder, detector.reading))
        judged = detector.judge(seen, Workspace())
        odds = judged.log_odds
        return Found(~(odds > 0).numpy(), odds.sigmoid().numpy(), judged.scores.argmax(dim=1).numpy())

    return judge


def _own(probs: np.ndarray, case: Case) -> np.ndarray:
    own: np.ndarray = probs[np.arange(len(probs)), case.images.labels]
    return own


def disagreement(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag a label that isn't the probe's most probable class."""
    probs = PROBE.probabilities(case)
    return Found(probs.argmax(axis=1) != case.images.labels, _own(probs, case), probs.argmax(axis=1))


def cleanlab(rule: Rule) -> Judge:
    """Return one of cleanlab's rules (Northcutt et al. 2021) on the probe."""

    def judge(encoder: DualEncoder, case: Case, seed: int) -> Found:
        probs = PROBE.probabilities(case)
        return Found(flagged_by(case.images.labels, probs, rule), _own(probs, case), probs.argmax(axis=1))

    return judge


def small_loss(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag as many of the probe's largest losses as labels are wrong, which it is told."""
    probs = PROBE.probabilities(case)
    own, flags = _own(probs, case), np.zeros(len(probs), bool)
    flags[np.argsort(own, kind="stable")[: int(case.wrong.sum())]] = True
    return Found(flags, own, probs.argmax(axis=1))


def _zero_shot(encoder: DualEncoder, case: Case) -> np.ndarray:
    with torch.no_grad():
        logits = encoder.logit_scale * case.joint @ class_features(encoder, case.images.classes).T
    probs: np.ndarray = logits.softmax(dim=1).double().numpy()
    return probs


def label_match(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag a label that isn't the zero-shot class."""
    probs = _zero_shot(encoder, case)
    return Found(probs.argmax(axis=1) != case.images.labels, _own(probs, case), probs.argmax(axis=1))


METHODS: Mapping[str, Judge] = {
    "deft": deft(lambda encoder, seed: DeFT(encoder, seed=seed)),
    "deft-paper": deft(lambda encoder, seed: DeFT.paper(encoder, tuning=Frozen(), seed=seed)),
    "deft-weak": deft(lambda encoder, seed: DeFT.for_weak_model(encoder, tuning=Frozen(), seed=seed)),
    **{f"cleanlab-{rule}": cleanlab(rule) for rule in RULES},
    "probe": disagreement,
    "neighbours": peer(lambda encoder, seed: NeighbourVote(encoder)),
    "label-match": label_match,
    "small-loss-told": small_loss,
    "clipcleaner": peer(lambda encoder, seed: CLIPCleaner(encoder, seed=seed)),
}
OURS = ("deft", "deft-paper", "deft-weak")


def measured(case: Case, found: Found) -> dict[str, float]:
    """Return F1 and its company, calibration, and the false alarms among right labels."""
    flags, p_right, suggested, interval = found
    truth = case.images.clean_labels
    assert truth is not None
    scores = score_detection(
        flags, p_right, case.images.labels, np.where(truth < 0, len(case.images.classes), truth), suggested
    )
    wrong, clean = case.wrong, ~case.wrong
    bins = np.minimum((p_right * BINS).astype(int), BINS - 1)
    off = [abs(float(p_right[bins == place].sum() - clean[bins == place].sum())) for place in range(BINS)]
    return {
        "f1": scores.f1,
        "precision": scores.precision,
        "recall": scores.recall,
        "average_precision": scores.average_precision,
        "calibration_error": sum(off) / len(p_right),
        "estimated_rate": float(1 - p_right.mean()),
        "true_rate": float(wrong.mean()),
        "false_alarms": float(flags[clean].mean()),
        "suggestion_right": float((suggested == truth)[flags & wrong].mean())
        if (flags & wrong).any()
        else float("nan"),
        **({"rate_low": interval[0], "rate_high": interval[1]} if interval else {}),
    }


def run(bank: Bank, names: list[str], methods: list[str], seeds: list[int], out: Path) -> None:
    """Measure, write one JSON file per setting, method and seed, and print the table."""
    makers = settings()
    for name in names:
        for seed in seeds:
            case = makers[name](bank, seed)
            for method in methods:
                start = time.perf_counter()
                result: dict[str, Any] = measured(case, METHODS[method](bank.encoder, case, seed))
                result |= {"setting": name, "method": method, "seed": seed, "images": len(case.images)}
                result |= {"model": bank.encoder.name, "seconds": round(time.perf_counter() - start, 1)}
                result["command"] = (
                    f"python -m benchmarks.detection --rows {bank.rows} --settings {name} --methods {method} "
                    f"--seeds {seed}"
                )
                out.mkdir(parents=True, exist_ok=True)
                path = out / f"verdict--{name}--{method}--seed{seed}.json"
                path.write_text(json.dumps(result, indent=1) + "\n")
        print(row(name, methods, seeds, out), flush=True)


def row(name: str, methods: list[str], seeds: list[int], out: Path) -> str:
    """Return one setting's line: DeFT as typed, and the best of the others, means over the seeds."""
    mean: dict[str, dict[str, float]] = {}
    for method in methods:
        files = [out / f"verdict--{name}--{method}--seed{seed}.json" for seed in seeds]
        results = [json.loads(file.read_text()) for file in files if file.is_file()]
        if results:
            mean[method] = {key: float(np.mean([r[key] for r in results])) for key in ("f1", *SHOWN)}
    peers = {method: scores for method, scores in mean.items() if method not in OURS}
    best = max(peers, key=lambda method: peers[method]["f1"], default=None)
    line = f"{name:<20}"
    for method in (*(m for m in OURS if m in mean), *([best] if best else [])):
        line += f" | {method} F1 {mean[method]['f1']:.3f} " + " ".join(
            f"{SHOWN[k]} {mean[method][k]:.3f}" for k in SHOWN
        )
    return line


SHOWN = {
    "average_precision": "AP",
    "calibration_error": "ECE",
    "estimated_rate": "rate",
    "true_rate": "of",
    "false_alarms": "FA",
}
