"""Whether "about N wrong labels left (a to b)" holds: reviews are simulated, and what is said is put beside the truth.

    python -m benchmarks.left --data ../shared/data --photos ../photos --rows tables    # writes results/left.json
    python -m benchmarks.left --data ../shared/data --photos ../photos --rows tuning    # what its settings came from

A reviewer who is always right goes through the suspects of `DeFT(tiny)` as typed, worst first, and then on, lowest
scores first (settings and rows: benchmarks/settings.py). At several points of each review: how many labels that nobody
has decided about are wrong, how many are said to be (`deft.runs.left`), and whether the interval, of 90 %, holds them.
Three more reviews take other paths: half of the suspects in any order, 40 images at random, all of one class.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks.bank_options import bank_of, bank_parser
from benchmarks.settings import Bank, Case, inputs_of, settings
from deft.detectors.deft import DeFT
from deft.detectors.deft_weighing import frozen_features
from deft.runs.detection import Detection, Verdicts
from deft.runs.left import NOTHING, RIGHT, WRONG, what_is_left
from deft.training.workspace import Workspace

RESULT = Path(__file__).parent / "results" / "left.json"
AHEAD = (20, 60)
"""Images that are looked at after the suspects."""
POINTS = (
    *("nothing yet", "10 % of the suspects", "half of the suspects", "all suspects"),
    *(f"and {count} more" for count in AHEAD),
    *("half, in any order", "40 at random", "one class"),
)


def judged(bank: Bank, case: Case, seed: int) -> dict[str, np.ndarray]:
    """Return what the detector says of a setting, and the truth."""
    detector = DeFT(bank.encoder, seed=seed)
    inputs, space = inputs_of(case.pooled, case.images, bank.encoder, detector.reading), Workspace()
    with frozen_features(bank.encoder, detector.tuning, detector.recipe, inputs, space, detector.reading) as frozen:
        trained, verdicts = detector.learn(case.images, inputs, frozen, space)
    evidence = trained.told(verdicts, inputs.trusted)["evidence"]
    return {
        "p_clean": verdicts.p_clean,
        "is_clean": verdicts.is_clean,
        "given": case.images.labels,
        "wrong": case.wrong,
        "interval": np.array(evidence["noise_rate_interval"]),
    }


def detection(kept: Mapping[str, np.ndarray]) -> Detection:
    """Return a run with these verdicts."""
    count, given = len(kept["given"]), kept["given"].astype(np.int64)
    names = tuple(map(str, range(count)))
    verdicts = Verdicts(
        p_clean=kept["p_clean"],
        is_clean=kept["is_clean"],
        predicted=given,
        topk=given[:, None],
        topk_probs=np.ones((count, 1), np.float32),
    )
    classes = tuple(map(str, range(int(given.max()) + 1)))
    info = {"evidence": {"noise_rate_interval": kept["interval"].tolist()}}
    return Detection(names, names, None, classes, given, verdicts, {}, {}, info)


def reviewed(found: Detection, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield points of reviews: which images were decided by then, bool (N,)."""
    order, count = np.argsort(found.p_clean, kind="stable"), len(found)
    flagged, rng = int(found.is_label_issue.sum()), np.random.default_rng([seed, 8])
    ways = {
        **{name: order[: round(share * flagged)] for name, share in zip(POINTS, (0, 0.1, 0.5, 1), strict=False)},
        **{name: order[: flagged + more] for name, more in zip(POINTS[4:], AHEAD, strict=False)},
        POINTS[6]: rng.permutation(order[:flagged])[: flagged // 2],
        POINTS[7]: rng.permutation(count)[:40],
        POINTS[8]: np.flatnonzero(found.given == rng.integers(len(found.classes))),
    }
    for name, rows in ways.items():
        seen = np.zeros(count, bool)
        seen[rows] = True
        yield name, seen


def told(kept: Mapping[str, np.ndarray], seed: int) -> dict[str, dict[str, float]]:
    """Return what is said at each point, and the truth."""
    found, wrong, lines = detection(kept), kept["wrong"], {}
    for point, seen in reviewed(found, seed):
        said = np.where(seen, np.where(wrong, WRONG, RIGHT), NOTHING)
        left, truth = what_is_left(found, ~seen, said), int(wrong[~seen].sum())
        lines[point] = {"left": truth, "said": left.wrong, "low": left.low, "high": left.high}
    flagged, rest = int(found.is_label_issue.sum()), np.argsort(found.p_clean, kind="stable")
    for more in AHEAD:
        lines["all suspects"][f"in next {more}"] = int(wrong[rest[flagged : flagged + more]].sum())
    return lines


def holds(line: Mapping[str, float]) -> bool:
    """Return whether the interval holds the truth."""
    return line["low"] <= line["left"] <= line["high"]


def shown(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return each point's line of the summary."""
    lines = [f"{'':24} {'holds':>9} {'off by':>7} {'width':>7}"]
    for point in POINTS:
        some = [runs[point] for runs in found.values() if point in runs]
        off = mean(abs(one["said"] - one["left"]) / (one["left"] + 4) ** 0.5 for one in some)
        width = mean((one["high"] - one["low"]) / (one["left"] + 4) ** 0.5 for one in some)
        lines.append(f"{point:24} {sum(map(holds, some)):>4} / {len(some):>2} {off:>7.1f} {width:>7.1f}")
    return "\n".join([*lines, "off by, width: in units of the root of the number left plus 4; means over the runs"])


def main() -> None:
    parser = bank_parser(__doc__)
    options = parser.parse_args()
    bank = bank_of(options)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.settings.split(","):
        for seed in map(int, options.seeds.split(",")):
            lines = found[f"{name}, seed {seed}"] = told(judged(bank, settings()[name](bank, seed), seed), seed)
            texts = [
                f"{one['left']:.0f}: {one['said']:.0f} ({one['low']:.0f} to {one['high']:.0f})"
                for one in lines.values()
            ]
            print(f"{name} {seed}  " + "  ".join(texts), flush=True)
    print(shown(found))
    if options.rows == "tables":
        command = f"python -m benchmarks.left --rows tables --settings {options.settings} --seeds {options.seeds}"
        RESULT.write_text(json.dumps({"command": command, "model": options.model, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
