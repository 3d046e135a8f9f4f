"""Training ends once labels that were held out are foretold no better; a run that is resumed ends as it would have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.heard import Heard
from torch import Tensor

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.detectors.deft import DeFT
from deft.detectors.deft_stopping import HeldOut, Stopping
from deft.detectors.deft_training import DualPromptTraining
from deft.detectors.registry import detector_from_settings
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.encoders.remembered import remember_stem
from deft.errors import SettingsError
from deft.progress import Silent, T
from deft.prompts.learned import PromptSettings
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.inputs import Inputs, Reading
from deft.training.workspace import Workspace
from deft.tuning import VPT

FEW = 160  # images, of which half are held out


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    return remember_stem(load_encoder("tiny", device="cpu"))


@pytest.fixture(scope="module")
def noisy() -> LabeledImages:
    return digits(noise=0.2)[0].keep(np.arange(FEW))


def quick(encoder: DualEncoder, epochs: int = 5, patience: int | None = 1) -> DeFT:
    prompts, stopping = PromptSettings(length=2), Stopping(patience=patience, share=0.5)
    return DeFT(encoder, tuning=VPT(length=2), prompts=prompts, epochs=epochs, stopping=stopping)


class Nothing(Loader):
    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return torch.zeros(len(rows), 1)


def inputs(count: int, groups: np.ndarray | None = None, trusted: np.ndarray | None = None) -> Inputs:
    """Inputs of four classes that hold nothing."""
    groups = np.full(count, -1) if groups is None else groups
    batches = Batches(
        Nothing(), np.arange(count) % 4, np.arange(count), batch_size=8, seed=0, device=torch.device("cpu"),
        groups=groups,
    )  # fmt: skip
    trusted = np.zeros(count, np.bool_) if trusted is None else trusted
    return Inputs(batches, {}, trusted, groups, digits()[0].keep(range(1)))


def contents(count: int) -> list[str]:
    return [f"content {number}" for number in range(count)]


def test_a_share_is_held_out_and_never_more_than_a_thousand() -> None:
    assert len(Stopping(1, share=0.25).held_out(inputs(800), contents(800), seed=0)) == 200
    assert len(Stopping(1, share=0.5).held_out(inputs(4000), contents(4000), seed=0)) == 1000
    assert len(Stopping(1, share=0.1).held_out(inputs(400), contents(400), seed=0)) == 0  # forty: too few
    assert len(Stopping(patience=None).held_out(inputs(4000), contents(4000), seed=0)) == 0


def test_no_copy_and_no_confirmed_label_is_held_out() -> None:
    groups, trusted = np.full(400, -1), np.zeros(400, np.bool_)
    groups[:100] = np.arange(100) // 2
    trusted[100:200] = True
    held = Stopping(1, share=0.5).held_out(inputs(400, groups, trusted), contents(400), seed=0)
    assert 50 <= len(held) <= 200
    assert held.min() >= 200


@pytest.mark.parametrize("settings", [{"patience": 0}, {"share": 0.0}, {"share": 0.6}, {"share": float("nan")}])
def test_settings_out_of_bounds_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=r"at least 1 is needed|lies in 0 < share"):
        Stopping(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("patience", "ends"), [(1, 3), (2, 6)])
def test_it_ends_after_so_many_epochs_without_a_rise(patience: int, ends: int, monkeypatch: pytest.MonkeyPatch) -> None:
    means = iter([-2.0, -1.0, -1.0, -0.5, -0.51, -0.7, -0.1])
    spread = torch.linspace(-0.1, 0.1, 60, dtype=torch.float64)
    monkeypatch.setattr(HeldOut, "_likelihoods", lambda self, method: next(means) + spread.roll(int(self.counts[0])))
    held = HeldOut(inputs(60).batches, patience, Reading())
    method = object.__new__(DualPromptTraining)
    said = [held.settled(method) for _ in range(ends)]
    assert said == [False] * (ends - 1) + [True]
    assert held.epochs == ends


def test_a_rise_within_its_standard_error_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    one = torch.zeros(100, dtype=torch.float64)
    chance = one.clone()
    chance[:60], chance[60:] = 1.0, -1.3  # mean .08, standard error .11
    seen = iter([one, chance])
    monkeypatch.setattr(HeldOut, "_likelihoods", lambda self, method: next(seen))
    held = HeldOut(inputs(100).batches, 1, Reading())
    method = object.__new__(DualPromptTraining)
    assert [held.settled(method), held.settled(method)] == [False, True]


def test_it_says_when_it_ended_and_judges_all_images(tiny: DualEncoder, noisy: LabeledImages) -> None:
    heard = Heard()
    found = quick(tiny, epochs=20).detect(noisy, workspace=Workspace(progress=heard))
    epochs = [task for task in heard.tasks if task.startswith("Training, epoch")]
    assert 2 <= len(epochs) < 20
    assert (
        f"Training ended after {len(epochs)} of 20 epochs: labels that were held out are foretold no better." in heard
    )
    assert found.summary()["epochs_trained"] == len(epochs)
    assert len(found) == FEW
    assert np.isfinite(found.p_clean).all()


def test_labels_held_out_are_not_learned(tiny: DualEncoder, noisy: LabeledImages) -> None:
    detector, ordered = quick(tiny, epochs=1), noisy.keep(noisy.by_content())
    rows = np.arange(FEW)
    batches = Batches(Nothing(), ordered.labels, rows, batch_size=8, seed=0, device=torch.device("cpu"))
    bare = Inputs(batches, {}, ordered.trusted, np.full(FEW, -1), ordered)
    held = detector.stopping.held_out(bare, ordered.content_id, detector.seed)
    assert len(held) == FEW // 2
    labels = ordered.labels.copy()
    here, there = held[labels[held] == 3][0], held[labels[held] == 7][0]
    labels[here], labels[there] = labels[there], labels[here]  # so that classes keep their sizes
    one, other = (detector.fit(images) for images in (ordered, ordered.relabel(labels)))
    assert all(torch.equal(value, other.weights[name]) for name, value in one.weights.items())
    assert not any(name.startswith("ending") for name in one.weights)


class Stopped(Exception):
    pass


class UpTo(Silent):
    """Stops a run at a task."""

    def __init__(self, task: str) -> None:
        self._task = task

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        if task.startswith(self._task):
            raise Stopped
        return iter(steps)


@pytest.mark.parametrize("task", ["Training, epoch 2", "Weighing labels"])
def test_a_run_that_stopped_ends_where_an_unbroken_one_does(
    task: str, tiny: DualEncoder, noisy: LabeledImages, tmp_path: Path
) -> None:
    whole, detector = Heard(), quick(tiny, epochs=20)
    unbroken = detector.detect(noisy, workspace=Workspace(tmp_path / "one", progress=whole))
    with pytest.raises(Stopped):
        detector.detect(noisy, workspace=Workspace(tmp_path / "two", progress=UpTo(task)))
    rest = Heard()
    resumed = detector.detect(noisy, workspace=Workspace(tmp_path / "two", resume=True, progress=rest))
    np.testing.assert_array_equal(resumed.p_clean, unbroken.p_clean)
    assert rest.notes[-1] == whole.notes[-1]  # when training ended
    trained = [task for task in rest.tasks if task.startswith("Training")]
    assert len(trained) == (0 if task.startswith("Weighing") else whole_epochs(whole) - 1)


def whole_epochs(heard: Heard) -> int:
    return sum(task.startswith("Training, epoch") for task in heard.tasks)


def test_it_is_a_setting_of_detectors_that_change_the_image_tower(tiny: DualEncoder, noisy: LabeledImages) -> None:
    assert DeFT.paper(tiny).stopping == DeFT.for_real_noise(tiny).stopping == Stopping(patience=None)
    assert DeFT.for_weak_model(tiny).stopping == Stopping(patience=None)
    kept = quick(tiny, patience=2)
    assert detector_from_settings(kept.settings(), tiny) == kept
    early, whole = (
        replace(DeFT(tiny, epochs=2, prompts=PromptSettings(length=2)), stopping=stopping).detect(noisy).p_clean
        for stopping in (Stopping(1, share=0.5), Stopping(patience=None))
    )
    np.testing.assert_array_equal(early, whole)
