"""What a console and a notebook show of every public value: short, and never whole arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import deft
from deft.data.load import load_images
from deft.detectors.deft_evidence import Evidence
from deft.evidence.explanations import Explanations
from deft.evidence.foreign import Foreign
from deft.evidence.label_noise import LabelNoise
from deft.evidence.weighing import Weighed
from deft.methods.base import TrainingContext
from deft.progress import Silent
from deft.runs.audit import Audit
from deft.runs.decisions import now
from deft.runs.reviewed import ReviewedRun

LONGEST = 130
ARRAYS = re.compile(r"array\(|tensor\(|\[\s*[\d.]+[,\s]| at 0x|\n")
"""What prints all of an array, an address, or more than a line."""

COUNT = 60
ABSTRACT = {"Detector", "DualEncoder", "Method", "Progress", "Training", "Tuning"}
FUNCTIONS = {name for name in deft.__all__ if not isinstance(getattr(deft, name), type)}


class Given:
    """A run of a few images, from which examples of the public values are built."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.folder = folder
        pixels = rng.integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
        pixels[1] = pixels[0]
        self.labels = np.arange(COUNT) % 3
        self.images = load_images(pixels, labels=self.labels, classes=["cat", "dog", "horse"])
        self.probs = rng.dirichlet(np.ones(3), COUNT).astype(np.float32)
        self.encoder = deft.load_encoder("tiny", device="cpu")
        self.found = deft.LabelMatch(self.encoder).detect(self.images)
        self.found.save(folder)
        name = self.found.sample_id[5]
        given = self.found.classes[int(self.found.given[5])]
        self.decision = deft.Decision(name, "kept", given, given, "Ada", now())
        with deft.Decisions(folder) as log:
            log.record(self.decision, expected=0)


def settings_example(kind: type) -> Callable[[Given], Any]:
    return lambda _: kind()


def detector_example(kind: type) -> Callable[[Given], Any]:
    return lambda given: kind(given.encoder)


EXAMPLES: Mapping[str, Callable[[Given], Any]] = {
    **{
        name: settings_example(getattr(deft, name))
        for name in (
            *(
                "Adapter",
                "Bias",
                "CE",
                "CoTeaching",
                "ConflictError",
                "DataError",
                "DeftError",
                "ELR",
                "Frozen",
                "Full",
            ),
            *("GCE", "GMM", "Layers", "LoRA", "LoggedProgress", "LongReMix", "ModelError", "Optimization", "PixelRule"),
            *("ProMix", "Processes", "ProgressBar", "PromptSettings", "Recipe", "RoLT", "SCE", "SettingsError"),
            *("Stopping", "Stratified", "TURN", "TruncatedGCE", "UNICON", "VPT", "Workspace"),
        )
    },
    **{
        name: detector_example(getattr(deft, name))
        for name in (
            *("AreaUnderMargin", "CLIPCleaner", "ConfidentLearning", "DeFT", "LEMoN", "LabelMatch", "NeighbourVote"),
            "SmallLoss",
        )
    },
    "AdaptedModel": lambda given: deft.AdaptedModel(
        cast(Any, lambda *_: None),
        tuple(f"class number {place}" for place in range(COUNT)),
        {"backbone": "facebook/convnext-tiny-224", "labels": list(range(COUNT))},
    ),
    "Decision": lambda given: given.decision,
    "Decisions": lambda given: deft.Decisions(given.folder),
    "Detection": lambda given: given.found,
    "FromEmbeddings": lambda given: deft.FromEmbeddings(given.probs),
    "FromProbabilities": lambda given: deft.FromProbabilities(given.probs),
    "LabeledImages": lambda given: given.images,
    "NoiseTransition": lambda given: deft.NoiseTransition(torch.eye(40), 2.0),
    "Preprocessing": lambda given: deft.Preprocessing(fit="squash"),
    "TensorBoard": lambda given: deft.TensorBoard(given.folder / "events"),
    "TrainedDeFT": lambda given: replace(deft.DeFT.paper(given.encoder, tuning=deft.Frozen()), epochs=1).fit(
        given.images
    ),
    "TrainingContext": lambda given: TrainingContext(
        cast(Any, lambda _: None), given.labels, given.labels, 3, 5, 0, torch.device("cpu")
    ),
    "TrainingSet": lambda given: deft.fix_labels(given.found, given.images, "weigh"),
    "Validation": lambda given: deft.Validation(given.images, keep="best"),
    "ValueRange": lambda given: deft.ValueRange(0, 4095),
    "WeightedCE": lambda given: deft.WeightedCE(given.found.p_clean),
}
"""An example of every public class; what has defaults, with its defaults."""

REACHED: Mapping[str, Callable[[Given], Any]] = {
    "Audit": lambda given: Audit.draw(given.found.sample_id, count=40),
    "DetectionScores": lambda given: deft.score_detection(
        given.labels > 1, given.found.p_clean, given.labels, given.labels[::-1], given.found.predicted
    ),
    "DuplicateGroups": lambda given: given.found.duplicates,
    "Evidence": lambda given: Evidence(
        torch.zeros(COUNT, 4),
        torch.zeros(COUNT),
        torch.zeros(3, 4),
        shrinkage=0.1,
        weighed=Weighed(Explanations.only(torch.ones(8), LabelNoise.even(3, 0.1)), 1.0, 0.0, 0.0),
        foreign=Foreign.none(3),
        threshold=0.5,
        shares=torch.ones(8),
        band=(1.0, 1.0),
    ),
    "LabeledImage": lambda given: given.images[3],
    "Plan": lambda given: deft.plan_run(given.folder),
    "Reasons": lambda given: given.found.reasons,
    "Reviewed": lambda given: ReviewedRun.open(given.folder).reviewed,
    "ReviewedRun": lambda given: ReviewedRun.open(given.folder),
    "Silent": lambda given: Silent(),
    "UNICON for Tiny-ImageNet": lambda given: deft.UNICON.for_tiny_imagenet(),
    "VPT elsewhere": lambda given: deft.DeFT.paper(given.encoder, tuning=deft.VPT(length=3)),
    "Verdicts": lambda given: given.found.verdicts,
    "a workspace with a folder": lambda given: deft.Workspace(folder=given.folder, progress=deft.LoggedProgress()),
}
"""What public functions and values hand out."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return Given(tmp_path_factory.mktemp("run"))


def test_every_public_class_has_an_example() -> None:
    assert set(EXAMPLES) | ABSTRACT | FUNCTIONS == set(deft.__all__)


@pytest.mark.parametrize("name", [*EXAMPLES, *REACHED])
def test_what_is_shown_of_a_value_is_short_and_holds_no_array(name: str, given: Given) -> None:
    shown = repr({**EXAMPLES, **REACHED}[name](given))
    assert len(shown) <= LONGEST, shown
    assert not ARRAYS.search(shown), shown
