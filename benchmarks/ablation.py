"""What each part of DeFT's default verdict is worth: each is left out in turn, on kept embeddings.

    python -m benchmarks.ablation --data ../shared/data --photos ../photos --rows tuning
    python -m benchmarks.ablation --data ../shared/data --photos ../photos --rows tables

The code's settings were chosen on the rows for tuning, and the tables of docs/ are made from others
(`benchmarks/settings.py`). One JSON file per setting and seed is written to benchmarks/results/; what is printed is the
table of docs/deft.md, each cell F1 (where no label is wrong, the share of right labels that is flagged).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager as Context
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.bank_options import bank_of, bank_parser
from benchmarks.settings import Case, inputs_of, settings
from benchmarks.verdicts import Found, measured
from deft.detectors import deft_evidence, deft_sample
from deft.detectors.deft import DeFT
from deft.detectors.deft_evidence import EXPERTS, Evidence
from deft.detectors.deft_weighing import frozen_features
from deft.evidence import experts, foreign, label_noise, look_alikes, weighing
from deft.evidence.experts import evenly, mixed
from deft.evidence.explanations import Explanations
from deft.evidence.label_noise import LabelNoise, Pull, log_likelihoods
from deft.training.workspace import Workspace

RESULTS = Path(__file__).parent / "results"
SETTINGS = (
    *("human-worst", "human-majority", "symmetric-0.0", "symmetric-0.2", "symmetric-0.6", "pair-0.3", "long-tail-0.2"),
    *(
        "imagenette-pair-0.4",
        "two-classes-0.15",
        "two-classes-one-way-0.2",
        "open-set-0.1",
        "20-a-class-0.2",
        "imagenette-20-a-class-pair-0.3",
        "imagenette-three-classes-0.4",
        "cars-ten-classes-pair-0.3",
        "cars-20-a-class-0.2",
        "human-majority-1000",
        "caltech-three-classes-0.1",
        "tiny-imagenet-0.2",
        "imagenette-0.2",
        "cars-0.2",
    ),
)


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Leave experts unheard: what says the same of every class weighs nothing."""
    heard = Evidence.experts

    def fewer(self: Evidence, *args: Any, **more: Any) -> list[Tensor]:
        return [
            torch.zeros_like(part) if name in names else part
            for name, part in zip(EXPERTS, heard(self, *args, **more), strict=False)  # the cleaned ones come second
        ]

    with patch.object(Evidence, "experts", fewer):
        yield


def likeliest() -> Context[Any]:
    """Of what the searches by one kind of noise come to, let what makes the labels likeliest count."""

    def most(heard: Sequence[Tensor], labels: Tensor, found: Sequence[tuple[Tensor, LabelNoise]]) -> Any:
        def likelihood(one: tuple[Tensor, LabelNoise]) -> float:
            return float(log_likelihoods(mixed(heard, one[0]), labels, one[1]).mean())

        return max(found, key=likelihood)

    return patch.object(weighing, "best_explained", most)


def most_probable() -> Context[Any]:
    """Let the most probable explanation of the labels count alone."""
    averaged = weighing._averaged

    def alone(even: Any, classwise: Sequence[Any]) -> weighing.Fitted:
        best = averaged(even, classwise).explanations.best
        held = next(one.held for one in (even, *classwise) if one.noise is best.noise)
        return weighing.Fitted(Explanations.only(best.weights, best.noise), held)

    return patch.object(weighing, "_averaged", alone)


JUDGING: Mapping[str, Callable[[], Context[Any]]] = {
    "the default": contextlib.nullcontext,
    **{f"without {name}": lambda name=name: without(name) for name in EXPERTS},  # type: ignore[misc]
    "no text steps (without both prompts)": lambda: without("positive prompts", "negative prompts"),
    "labels as they are (without both cleaned)": lambda: without("cleaned discriminant", "cleaned neighbours"),
    "prompts heard of a small set, too": lambda: patch.object(deft_evidence, "FEW_IMAGES", 0),
    "halves of a small set, not fifths": lambda: patch.object(
        deft_sample, "parts", lambda keys: (keys % 2).astype(int)
    ),
    "no search from sharp experts": lambda: patch.object(weighing, "FEW_IMAGES", 0),
    "any weight as likely before labels are seen": lambda: patch.object(experts, "SPREAD", 100.0),
    "by one kind of noise the likeliest, not that with most evidence": likeliest,
    "the most probable kind of noise, not the mean of all": most_probable,
    "no search from the text alone": lambda: patch.object(weighing, "_from_text", lambda *heard: evenly(*heard)[0]),
    "held-out labels alone say whether it judges": lambda: patch.object(weighing, "STRONG", float("inf")),
    "even noise nine times as likely on look-alikes and of two classes, too": lambda: patch.object(
        weighing, "LESS_EVEN", weighing.EVEN_CHANCE
    ),
    "rates of two classes drawn to the common one by 30 images alone": lambda: patch.object(
        weighing, "OF_TWO", weighing.OF_TWO[:1]
    ),
    "no partners": lambda: patch.multiple(weighing, PARTNERS=(), PLACES=Pull(places=10)),
    "look-alikes where neither text nor many photos know them, too": lambda: patch.object(look_alikes, "KNOWS", -1.0),
    "no look-alikes": lambda: patch.object(weighing, "ON_LOOK_ALIKES", ()),
    "even noise alone": lambda: patch.object(weighing, "MOST_CLASSES", 0),
    "no image harder than others": lambda: patch.object(label_noise, "HARD_ERRORS", 0.0),
    "no none of these": lambda: patch.object(foreign, "WORTH", float("inf")),
}
"""What is left out after training."""
LEARNING: Mapping[str, dict[str, Any]] = {
    "text steps as the paper's (batches of 64)": {"steps": None, "classes": None},
    "at most 64 classes a step": {"classes": 64},
}
"""How else the prompts learn."""


def rows_of(case: Case, detector: DeFT, *, judging: bool) -> dict[str, dict[str, float]]:
    """Return the scores of one training, judged as it is, or with each part left out in turn."""
    inputs, space = inputs_of(case.pooled, case.images, detector.encoder, detector.reading), Workspace()
    found = {}
    with frozen_features(detector.encoder, detector.tuning, detector.recipe, inputs, space, detector.reading) as frozen:
        trained, verdicts = detector.learn(case.images, inputs, frozen, space)
        for name, change in JUDGING.items():
            if name != "the default":
                if not judging:
                    break
                with change():
                    other = trained.observed(case.images, inputs, frozen, space.progress)
                    verdicts = other.judge(inputs, frozen, len(case.images), space.progress)
            found[name] = measured(case, Found(~verdicts.is_clean, verdicts.p_clean, verdicts.predicted))
    return found


def ablate(case: Case, detector: DeFT) -> dict[str, dict[str, float]]:
    """Return the scores of the default and of every part left out."""
    found = rows_of(case, detector, judging=True)
    for name, changes in LEARNING.items():
        if "classes" not in changes or len(case.images.classes) > (changes["classes"] or 0):
            other = replace(detector, recipe=replace(detector.recipe, **changes))
            found[name] = rows_of(case, other, judging=False)["the default"]
    return found


def table(found: Mapping[str, list[dict[str, dict[str, float]]]]) -> str:
    """Return the rows in Markdown: parts down, settings across."""
    lines = ["| | " + " | ".join(found) + " |", "|---|" + "--:|" * len(found)]
    for name in (*JUDGING, *LEARNING):
        cells = []
        for results in found.values():
            scores = [one[name] for one in results if name in one]
            key = "f1" if scores and scores[0]["true_rate"] else "false_alarms"
            cells.append(f"{mean(one[key] for one in scores):.3f}" if scores else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = bank_parser(__doc__, some=",".join(SETTINGS), seeds="0")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    bank = bank_of(options)
    found: dict[str, list[dict[str, dict[str, float]]]] = {}
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.settings.split(","):
        for seed in map(int, options.seeds.split(",")):
            scores = ablate(settings()[name](bank, seed), DeFT(bank.encoder, seed=seed))
            command = f"python -m benchmarks.ablation --rows {options.rows} --settings {name} --seeds {seed}"
            path = options.out / f"ablation--{options.rows}--{name}--seed{seed}.json"
            path.write_text(json.dumps({"command": command, "model": options.model, "scores": scores}, indent=1) + "\n")
            found.setdefault(name, []).append(scores)
        print(table({name: found[name]}), flush=True)
    print(f"\nRows for {options.rows}, seeds {options.seeds}, model {options.model}\n\n{table(found)}")


if __name__ == "__main__":
    main()
