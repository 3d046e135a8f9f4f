"""Decisions become the truth of the next run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deft.data.images import LabeledImages
from deft.detectors.deft import DeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.registry import detector_from_settings
from deft.detectors.small_loss import SmallLoss
from deft.encoders.load import load_encoder
from deft.errors import DataError, SettingsError
from deft.prompts.learned import PromptSettings
from deft.reviewing.desk import Desk
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.detection import Detection
from deft.runs.reviewed import apply_decisions, hand_on, load_before
from deft.tuning import VPT, Frozen, LoRA


def test_decisions_are_the_labels_of_the_next_run(images: LabeledImages, desk: Desk, log: Decisions) -> None:
    names = images.sample_id
    desk.decide("keep", [(names[0], 0), (names[1], 0)])
    desk.decide("label", [(names[2], 0)], "nine" if images.labels[2] != 9 else "one")
    desk.decide("none_of_these", [(names[3], 0)])
    desk.decide("bad_image", [(names[4], 0)])
    desk.decide("skip", [(names[5], 0)])
    reviewed = apply_decisions(images, log.history())
    assert np.flatnonzero(reviewed.images.trusted).tolist() == [0, 1, 2]
    changed = np.flatnonzero(reviewed.images.labels != images.labels)
    assert changed.tolist() == [2]
    assert reviewed.images.classes[reviewed.images.labels[2]] == ("nine" if images.labels[2] != 9 else "one")
    assert reviewed.images.read_errors == {
        3: "set aside in review: none of the classes",
        4: "set aside in review: bad image",
    }
    assert (reviewed.kept, reviewed.corrected, reviewed.set_aside) == (2, 1, 2)
    assert reviewed.images.first_labels is not None
    assert reviewed.images.first_labels.tolist() == images.labels.tolist()
    later = apply_decisions(reviewed.images, log.history()).images  # of the next run, which knows the decided labels
    assert later.first_labels is not None
    assert later.first_labels.tolist() == images.labels.tolist()


def test_an_undone_decision_gives_the_first_label_back(images: LabeledImages, desk: Desk, log: Decisions) -> None:
    sample = images.sample_id[0]
    desk.decide("label", [(sample, 0)], "nine" if images.labels[0] != 9 else "one")
    changed = apply_decisions(images, log.history()).images
    assert changed.labels[0] != images.labels[0]
    desk.undo([(sample, 1)])
    again = apply_decisions(changed, log.history()).images  # the next run's images hold the corrected label
    assert again.labels[0] == images.labels[0]
    assert not again.trusted.any()


def test_a_label_without_a_class_is_refused(images: LabeledImages, log: Decisions) -> None:
    log.record(Decision(images.sample_id[0], "corrected", "one", "unicorn", "Ada", now()), 0)
    with pytest.raises(DataError, match="names the class 'unicorn'"):
        apply_decisions(images, log.history())


def test_the_next_run_holds_what_was_before_and_every_decision(
    run: Path, desk: Desk, log: Decisions, found: Detection, tmp_path: Path
) -> None:
    desk.decide("keep", [(found.sample_id[0], 0)])
    new = tmp_path / "new"
    new.mkdir()
    hand_on(run, new)
    before = load_before(new)
    assert before is not None
    assert before.table.equals(found.table)
    with Decisions(new) as copy:
        assert copy.history() == log.history()
        copy.record(Decision(found.sample_id[1], "kept", "a", "a", "Ada", now()), 0)
    hand_on(run, new)  # a run that is resumed
    with Decisions(new) as copy:
        assert len(copy.latest()) == 2
    assert load_before(run) is None


def test_a_detector_comes_back_from_its_settings(clip_folder: Path) -> None:
    encoder = load_encoder(clip_folder, device="cpu")
    for made in (
        DeFT(encoder, tuning=VPT(length=3), epochs=3, prompts=PromptSettings(length=5), seed=4, batch_size=7),
        DeFT.for_weak_model(encoder, tuning=Frozen(), epochs=2),
        replace(DeFT.for_real_noise(encoder, tuning=LoRA(rank=2)), views=3),
        SmallLoss(encoder, tuning=Frozen(), noise_rate=0.25, epochs=3, warmup=2, seed=9),
        LabelMatch(encoder, templates=("a picture of {}.",), precision="float32"),
    ):
        again = detector_from_settings(json.loads(json.dumps(made.settings())), encoder)  # as a run keeps them
        assert type(again) is type(made)
        assert again.settings() == made.settings()
    with pytest.raises(SettingsError, match="detector= again"):
        detector_from_settings({"detector": "deft", "trained": True}, encoder)
    old = DeFT(encoder).settings()
    with pytest.raises(SettingsError, match="another version of deft"):
        detector_from_settings({**old, "recipe": {"similarity_weight": 3.0}}, encoder)
    with pytest.raises(SettingsError, match="no detector 'made up'"):
        detector_from_settings({"detector": "made up"}, encoder)
