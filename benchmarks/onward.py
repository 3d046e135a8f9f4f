"""How many wrong labels come next after all suspects are decided: by score, by decisions about neighbours, judged anew.

    python -m benchmarks.onward --data ../shared/data --photos ../photos

`DeFT(tiny)` as typed judges 1 000 photos of each setting (rows for the tables, benchmarks/settings.py); a reviewer who
is always right decides all suspects. Counted are the wrong labels among the next 20, 50 and 100 images that nobody
decided about, in the order of the scores ("worst" on the review page), in that of the scores and the decisions about
each image's neighbours ("likely"), and in that of a second round (`deft detect RUN --with-reviews`). Settings in which
nothing is flagged are left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.bank_options import bank_of, bank_parser
from benchmarks.settings import Bank, Case, inputs_of, settings
from deft.detectors.deft import DeFT
from deft.detectors.deft_weighing import frozen_features
from deft.runs.decisions import Decision, now
from deft.runs.detection import Detection, Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.onward import likely_wrong
from deft.runs.vocabulary import Status
from deft.training.workspace import Workspace

SETTINGS = (
    *("human-one", "human-worst", "human-majority", "symmetric-0.2", "pair-0.3", "asymmetric-0.4", "instance-0.4"),
    *("long-tail-0.2", "two-classes-0.15", "tiny-imagenet-pair-0.2", "imagenette-0.2", "caltech-20-a-class-pair-0.3"),
    "cars-five-classes-0.2",
)
"""No foreign images, since their right labels are none of the classes."""

NEXT = (20, 50, 100)
WAYS = ("score", "neighbours", "second round")


def truth_of(case: Case) -> np.ndarray:
    """Return the right labels, (N,)."""
    assert case.images.clean_labels is not None
    return case.images.clean_labels


def judged(bank: Bank, case: Case, seed: int) -> Verdicts:
    """Return what the detector says."""
    detector = DeFT(bank.encoder, seed=seed)
    inputs, space = inputs_of(case.pooled, case.images, bank.encoder, detector.reading), Workspace()
    with frozen_features(bank.encoder, detector.tuning, detector.recipe, inputs, space, detector.reading) as frozen:
        _, verdicts = detector.learn(case.images, inputs, frozen, space)
    return verdicts


def decisions(case: Case, rows: np.ndarray) -> dict[str, Decision]:
    """Return right decisions about some images."""
    images, time = case.images, now()
    said: dict[str, Decision] = {}
    for row in rows.tolist():
        name, given, true = (
            images.sample_id[row],
            images.classes[images.labels[row]],
            images.classes[truth_of(case)[row]],
        )
        status: Status = "kept" if given == true else "corrected"
        said[name] = Decision(name, status, given, true, "benchmark", time)
    return said


def again(case: Case, decided: np.ndarray) -> Case:
    """Return the images with right and trusted labels where they are decided, bool (N,)."""
    labels = np.where(decided, truth_of(case), case.images.labels)
    return replace(case, images=replace(case.images.relabel(labels, trusted=decided), first_labels=case.images.labels))


def counts(bank: Bank, case: Case, seed: int) -> np.ndarray | None:
    """Return the wrong labels among the next images, (ways, 3); None where nothing is flagged."""
    first, images = judged(bank, case, seed), case.images
    decided = ~first.is_clean
    if not decided.any():
        return None
    verdicts = replace(first, features=DiskRows.of(case.pooled.numpy().astype(np.float16)))
    found = Detection(
        images.sample_id, images.file_name, None, images.classes, images.labels, verdicts, read_errors={}, settings={}
    )
    second = judged(bank, again(case, decided), seed)
    ways = (-first.p_clean, likely_wrong(found, decisions(case, np.flatnonzero(decided))), -second.p_clean)
    rest = np.flatnonzero(~decided)
    orders = [rest[np.argsort(-wrong[rest], kind="stable")] for wrong in ways]
    return np.array([[case.wrong[order[:count]].sum() for count in NEXT] for order in orders])


def drawn(case: Case, seed: int, count: int) -> Case:
    """Return so many photos, drawn by the seed."""
    rows = np.random.default_rng([seed, 3]).permutation(len(case.images))[:count]
    return case.keep(np.sort(rows))


def main() -> None:
    parser = bank_parser(__doc__, some=",".join(SETTINGS), seeds="0")
    parser.add_argument("--count", type=int, default=1000, help="photos of each setting")
    options = parser.parse_args()
    bank = bank_of(options)
    total, runs = np.zeros((len(WAYS), len(NEXT)), np.int64), 0
    print(f"{'wrong among the next ' + ', '.join(map(str, NEXT)):40}" + "".join(f"{way:>18}" for way in WAYS))

    def line(name: str, found: np.ndarray) -> None:
        cells = ("".join(f"{count:>6}" for count in way) for way in found.tolist())
        print(f"{name:40}" + "".join(cells), flush=True)

    for seed in map(int, options.seeds.split(",")):
        for name in options.settings.split(","):
            found = counts(bank, drawn(settings()[name](bank, seed), seed, options.count), seed)
            if found is None:
                print(f"{name}, seed {seed}: nothing is flagged", flush=True)
                continue
            total, runs = total + found, runs + 1
            line(f"{name}, seed {seed}", found)
    line(f"all {runs}", total)


if __name__ == "__main__":
    main()
