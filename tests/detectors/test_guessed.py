"""Names and values that people guess."""

from __future__ import annotations

import pytest

from deft.data.digits import digits
from deft.detectors.deft import DeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.small_loss import SmallLoss
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
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
