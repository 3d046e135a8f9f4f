"""Names and values that people guess."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deft
from deft.adaptation.adapt import adapt
from deft.data.digits import digits
from deft.detectors.deft import DeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.own_outputs import FromEmbeddings
from deft.detectors.registry import DETECTORS, detector_class
from deft.detectors.small_loss import SmallLoss
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.methods.gce import GCE
from deft.methods.registry import method_of
from deft.report.build import build_report
from deft.training.optimization import Optimization
from deft.tuning import VPT, LoRA


def test_a_tuning_by_its_name() -> None:
    encoder = load_encoder("tiny", device="cpu")
    assert DeFT(encoder, tuning="vpt").tuning == VPT()  # type: ignore[arg-type]
    assert SmallLoss(encoder, tuning="LoRA").tuning == LoRA()  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"Adapter\(\), .*VPT\(\), or its name; 'prompt' is none"):
        DeFT(encoder, tuning="prompt")  # type: ignore[arg-type]


def test_the_name_of_a_model_where_a_model_is_due() -> None:
    images = digits()[0]
    for act in (LabelMatch("tiny").detect, DeFT("tiny").predict, DeFT("tiny").fit):  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=r"not 'tiny': \w+\(deft\.load_encoder\('tiny'\)\)"):
            act(images)


def test_a_path_where_labelled_images_are_due(tmp_path: Path) -> None:
    images = digits()[0].keep(np.arange(20))
    encoder = load_encoder("tiny", device="cpu")
    found = FromEmbeddings(np.eye(20)).detect(images)
    takers: tuple[Callable[[Any], object], ...] = (
        LabelMatch(encoder).detect,
        DeFT(encoder).fit,
        FromEmbeddings(np.eye(20)).detect,
        lambda given: adapt("tiny", given),
    )
    for act in takers:
        with pytest.raises(SettingsError, match=r"labelled images, not 'photos/': deft\.load_images\('photos/'\)"):
            act("photos/")
        with pytest.raises(SettingsError, match=r"of the type ndarray: deft\.load_images\(images, labels=labels\)"):
            act(np.zeros((20, 8, 8)))
    with pytest.raises(SettingsError, match=r"build_report\(images, found\) takes labelled images, not Detection\(20"):
        build_report(found, images)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"review\(found, images\) takes verdicts, not LabeledImages\(20"):
        deft.review(images, found, folder=tmp_path)  # type: ignore[arg-type]


def test_a_method_by_its_name() -> None:
    assert method_of("gce") == GCE()
    assert method_of(GCE(q=0.5)) == GCE(q=0.5)
    with pytest.raises(SettingsError, match=r"There is no method 'gcee'. Known: ce, gce, "):
        method_of("gcee")
    with pytest.raises(SettingsError, match=r"a value such as deft\.GCE\(\), or its name; <class .* is none"):
        method_of(GCE)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"or its name; 'lora!' is none"):
        adapt("tiny", digits()[0], tuning="lora!")


def test_what_is_shown_of_a_detector_is_what_was_chosen() -> None:
    encoder = load_encoder("tiny", device="cpu")
    assert repr(encoder) == "HybridEncoder('tiny')"
    for name in DETECTORS:
        made = detector_class(name)(encoder)
        assert repr(made) == f"{type(made).__name__}(encoder=HybridEncoder('tiny'))"
    chosen = DeFT(encoder, tuning=VPT(length=4), epochs=3, optimization=Optimization(learning_rate=0.1))
    assert repr(chosen) == (
        "DeFT(encoder=HybridEncoder('tiny'), tuning=VPT(length=4), epochs=3, "
        "optimization=Optimization(learning_rate=0.1))"
    )


def test_a_device_that_nobody_has() -> None:
    with pytest.raises(SettingsError, match=r"no device 'gpu' here: known are auto, cpu, cuda, cuda:1, mps"):
        load_encoder("tiny", device="gpu")
