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
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.settings import Bank, Case, halves, inputs_of, settings
from deft.detectors.deft import DeFT
from deft.detectors.deft_weighing import frozen_features
from deft.encoders.base import DualEncoder
from deft.metrics import score_detection
from deft.prompts.templates import class_features
from deft.training.workspace import Workspace
from deft.tuning import Frozen

RESULTS = Path(__file__).parent / "results"
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # of the regression, tried by accuracy on the noisy labels
RULES = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "low_normalized_margin")
NEIGHBOURS, BINS = 10, 15


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
        interval = trained.told(verdicts).get("evidence", {}).get("noise_rate_interval")
        return Found(~verdicts.is_clean, verdicts.p_clean, verdicts.predicted, interval)

    return judge


class Probe:
    """Five-fold logistic regression on standardised features, its strength chosen by accuracy on the noisy labels."""

    def __init__(self) -> None:
        self._last: tuple[Case, np.ndarray] | None = None

    def probabilities(self, case: Case) -> np.ndarray:
        """Out-of-fold probabilities, (N, K); the last case is remembered, so that all rules share one regression."""
        if self._last is None or self._last[0] is not case:
            self._last = (case, max((self._fitted(case, strength) for strength in STRENGTHS), key=lambda p: p[0])[1])
        return self._last[1]

    def _fitted(self, case: Case, strength: float) -> tuple[float, np.ndarray]:
        labels, features = case.images.labels, case.pooled.numpy()
        probs = np.zeros((len(labels), len(case.images.classes)))
        for seen, unseen in halves(case):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
            model.fit(features[seen], labels[seen])
            probs[np.ix_(unseen, model[-1].classes_)] = model.predict_proba(features[unseen])
        return float((probs.argmax(axis=1) == labels).mean()), probs


PROBE = Probe()


def _own(probs: np.ndarray, case: Case) -> np.ndarray:
    own: np.ndarray = probs[np.arange(len(probs)), case.images.labels]
    return own


def disagreement(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag a label that isn't the probe's most probable class."""
    probs = PROBE.probabilities(case)
    return Found(probs.argmax(axis=1) != case.images.labels, _own(probs, case), probs.argmax(axis=1))


def cleanlab(rule: str) -> Judge:
    """Return one of cleanlab's rules (Northcutt et al. 2021) on the probe."""

    def judge(encoder: DualEncoder, case: Case, seed: int) -> Found:
        from cleanlab.filter import find_label_issues

        probs = PROBE.probabilities(case)
        probs = (probs + 1e-9) / (probs + 1e-9).sum(axis=1, keepdims=True)
        flags = find_label_issues(case.images.labels, probs, n_jobs=1, filter_by=rule)
        return Found(flags, _own(probs, case), probs.argmax(axis=1))

    return judge


def small_loss(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag as many of the probe's largest losses as labels are wrong, which it is told."""
    probs = PROBE.probabilities(case)
    own, flags = _own(probs, case), np.zeros(len(probs), bool)
    flags[np.argsort(own, kind="stable")[: int(case.wrong.sum())]] = True
    return Found(flags, own, probs.argmax(axis=1))


def neighbours(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag a label that the ten nearest images outvote."""
    votes = torch.zeros(len(case.joint), len(case.images.classes))
    labels = torch.from_numpy(case.images.labels)
    for start in range(0, len(votes), 1000):
        similar = case.joint[start : start + 1000] @ case.joint.T
        rows = torch.arange(len(similar))
        similar[rows, rows + start] = -2
        near = similar.topk(NEIGHBOURS, dim=1).indices
        votes[start : start + 1000].scatter_add_(1, labels[near], torch.full(near.shape, 1 / NEIGHBOURS))
    probs = votes.numpy()
    return Found(probs.argmax(axis=1) != case.images.labels, _own(probs, case), probs.argmax(axis=1))


def _zero_shot(encoder: DualEncoder, case: Case) -> np.ndarray:
    with torch.no_grad():
        logits = encoder.logit_scale * case.joint @ class_features(encoder, case.images.classes).T
    probs: np.ndarray = logits.softmax(dim=1).double().numpy()
    return probs


def label_match(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Flag a label that isn't the zero-shot class."""
    probs = _zero_shot(encoder, case)
    return Found(probs.argmax(axis=1) != case.images.labels, _own(probs, case), probs.argmax(axis=1))


def clipcleaner(encoder: DualEncoder, case: Case, seed: int) -> Found:
    """Keep a label only if zero-shot text and probe both find it, by consistency and by a mixture per class.

    Source: the selection of Feng et al., "CLIPCleaner", ACM MM 2024.
    """
    labels, probe = case.images.labels, PROBE.probabilities(case)
    keep = np.ones(len(labels), bool)
    for probs in (_zero_shot(encoder, case), probe):
        own = _own(probs, case)
        keep &= own >= 0.8 * probs.max(axis=1)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            logs = np.log(own[rows] + 1e-12)
            if len(rows) < 4 or np.ptp(logs) == 0:
                continue
            scaled = ((logs - logs.min()) / np.ptp(logs))[:, None]
            mixture = GaussianMixture(2, random_state=seed).fit(scaled)
            keep[rows] &= mixture.predict_proba(scaled)[:, mixture.means_[:, 0].argmax()] >= 0.5
    return Found(~keep, _own(probe, case), probe.argmax(axis=1))


METHODS: Mapping[str, Judge] = {
    "deft": deft(lambda encoder, seed: DeFT(encoder, seed=seed)),
    "deft-paper": deft(lambda encoder, seed: DeFT.paper(encoder, tuning=Frozen(), seed=seed)),
    "deft-weak": deft(lambda encoder, seed: DeFT.for_weak_model(encoder, tuning=Frozen(), seed=seed)),
    **{f"cleanlab-{rule}": cleanlab(rule) for rule in RULES},
    "probe": disagreement,
    "neighbours": neighbours,
    "label-match": label_match,
    "small-loss-told": small_loss,
    "clipcleaner": clipcleaner,
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
                    f"python -m benchmarks.detection --settings {name} --methods {method} --seeds {seed}"
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
