"""One suite over every detector: what each of them owes its users, whatever its method."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import FrozenInstanceError, fields, replace
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.heard import Heard

import deft
from deft.data.digits import digits
from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.base import Detector
from deft.detectors.deft import DeFT
from deft.detectors.deft_training import Recipe
from deft.detectors.label_match import LabelMatch
from deft.detectors.registry import DETECTORS, detector_class, detector_from_settings
from deft.detectors.small_loss import SmallLoss
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import DataError, SettingsError
from deft.noise import symmetric
from deft.progress import Progress, T
from deft.prompts.learned import PromptSettings
from deft.runs.detection import Detection
from deft.settings import changed, parse_settings, setting_keys
from deft.stages import DETECTION
from deft.training.workspace import Workspace
from deft.tuning import VPT, Bias, Frozen, LoRA

Build = Callable[[DualEncoder], Detector]

SMALL = {"epochs": 2, "prompts": PromptSettings(length=4), "tuning": VPT(length=3), "strengths": (0.1,)}
"""What makes a detector quick, by the setting that it needs to have."""

TRAINED: dict[str, Build] = {
    "deft-paper": lambda e: quick(DeFT.paper(e)),
    "deft-last-layer": lambda e: changed(small("deft", e), {"tuning": VPT(length=3, layers=1)}),
    "deft-frozen": lambda e: changed(small("deft", e), {"tuning": Frozen()}),
    "deft-lora": lambda e: changed(small("deft", e), {"tuning": LoRA(rank=2)}),
    "deft-bias-specific": lambda e: changed(small("deft", e), {"tuning": Bias(), "prompts.class_specific": True}),
    "deft-weak": lambda e: replace(DeFT.for_weak_model(e, tuning=Frozen(), epochs=3), prompts=PromptSettings(length=4)),
    "deft-real": lambda e: changed(quick(DeFT.for_real_noise(e)), {"epochs": 3}),
}


def small(name: str, encoder: DualEncoder) -> Detector:
    """A detector with its own defaults, but quick."""
    return quick(detector_class(name)(encoder))


def quick(detector: Detector) -> Detector:
    """The same detector with what makes it quick, where it has such a setting."""
    has = {field.name for field in fields(detector)}
    return changed(detector, {name: value for name, value in SMALL.items() if name in has})


EVERY: dict[str, Build] = {
    **{name: functools.partial(small, name) for name in DETECTORS},
    **TRAINED,
    "small-loss-told": lambda e: changed(small("small-loss", e), {"tuning": Frozen(), "noise_rate": 0.3}),
}
WITH_EPOCHS = [
    name for name in EVERY if name not in DETECTORS or "epochs" in signature(detector_class(name)).parameters
]


@pytest.fixture(params=EVERY)
def build(request: pytest.FixtureRequest) -> Build:
    return EVERY[request.param]


@pytest.fixture(scope="module")
def encoder(clip_folder: Path) -> DualEncoder:
    return load_encoder(clip_folder, device="cpu")


def photos(count: int, classes: int, *, seed: int = 0) -> LabeledImages:
    """Squares of random colours, each class with a colour of its own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    colours = rng.integers(0, 256, size=(classes, 1, 1, 3))
    pixels = (colours[labels] + rng.integers(-40, 40, size=(count, 20, 20, 3))).clip(0, 255).astype(np.uint8)
    return load_images(pixels, labels=labels, classes=[f"thing {number}" for number in range(classes)])


def real_digits(count: int) -> LabeledImages:
    """Handwritten digits of scikit-learn."""
    return digits(noise=0.0)[0].keep(np.arange(count))


def same(first: Detection, second: Detection) -> None:
    pd.testing.assert_frame_equal(first.table, second.table)


def test_the_same_seed_gives_the_same_verdicts(build: Build, encoder: DualEncoder) -> None:
    images = photos(40, 4)
    same(build(encoder).detect(images), build(encoder).detect(images))


def test_rows_in_are_rows_out_in_their_order(build: Build, encoder: DualEncoder) -> None:
    images = photos(41, 3)
    found = build(encoder).detect(images)
    assert found.table["sample_id"].tolist() == list(images.sample_id)
    assert found.table["given_label_id"].tolist() == images.labels.tolist()
    assert found.judged.all()
    assert ((found.p_clean >= 0) & (found.p_clean <= 1)).all()
    assert_scores_order_verdicts(found)


def assert_scores_order_verdicts(found: Detection) -> None:
    """Every label that is flagged scores lower than every label that passes."""
    flagged, kept = found.p_clean[found.is_label_issue], found.p_clean[found.is_clean]
    assert not len(flagged) or not len(kept) or flagged.max() <= kept.min()


def test_an_unreadable_image_is_a_row_with_its_reason(build: Build, encoder: DualEncoder, tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(6):
            pixels = rng.integers(0, 256, size=(20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    (tmp_path / "cat" / "2.png").write_bytes(b"not an image")
    found = build(encoder).detect(load_images(tmp_path))
    broken = found.table[found.table["read_error"].notna()]
    assert len(found) == 12
    assert broken["file_name"].tolist() == ["cat/2.png"]
    assert broken["label_score"].isna().all()
    assert not broken["is_label_issue"].any()
    assert not found.is_clean[broken.index].any()
    assert found.summary()["unreadable"] == 1


def test_a_class_without_images(build: Build, encoder: DualEncoder) -> None:
    images = photos(30, 3)
    more = images.relabel(images.labels, (*images.classes, "unicorn"))
    found = build(encoder).detect(more)
    assert found.judged.all()
    assert found.summary()["per_class"][3]["Images"] == 0


def test_two_classes(build: Build, encoder: DualEncoder) -> None:
    found = build(encoder).detect(photos(20, 2))
    assert set(found.predicted.tolist()) <= {0, 1}
    assert found.verdicts.topk.shape == (20, 2)


def test_three_hundred_classes(build: Build, encoder: DualEncoder) -> None:
    found = build(encoder).detect(photos(600, 300))
    assert found.judged.all()
    assert found.verdicts.topk.shape == (600, 5)


def test_a_batch_of_one_image(build: Build, encoder: DualEncoder) -> None:
    found = build(encoder).detect(photos(65, 5))  # batches of 64: the last holds one image
    assert found.judged.all()


def test_one_class_is_refused(build: Build, encoder: DualEncoder) -> None:
    images = photos(10, 2)
    with pytest.raises(DataError, match="same label"):
        build(encoder).detect(images.keep(images.labels == 0))


def test_the_encoder_is_left_as_it_was(build: Build, encoder: DualEncoder) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    build(encoder).detect(photos(20, 2))
    after = encoder.state_dict()
    assert after.keys() == before.keys()
    assert all(bool((after[name] == value).all()) for name, value in before.items())


def test_a_detection_survives_saving(build: Build, encoder: DualEncoder, tmp_path: Path) -> None:
    found = build(encoder).detect(photos(20, 3))
    found.save(tmp_path)
    again = Detection.load(tmp_path)
    same(found, again)
    assert again.classes == found.classes
    assert again.settings == found.settings
    assert again.summary() == found.summary()


def test_a_label_that_a_person_confirmed_is_believed(build: Build, encoder: DualEncoder) -> None:
    images = photos(40, 4)
    wrong = (images.labels + 1) % 4  # every label is wrong, and a person stands by half of them
    sure = np.arange(40) % 2 == 0
    found = build(encoder).detect(images.relabel(wrong, trusted=sure))
    assert found.p_clean[sure].tolist() == [1.0] * 20
    assert found.is_clean[sure].all()
    assert not found.is_label_issue[sure].any()
    assert_scores_order_verdicts(found)


def test_it_says_where_it_comes_from(build: Build, encoder: DualEncoder) -> None:
    detector = build(encoder)
    assert len(detector.citation) > 40
    assert any(year in detector.citation for year in map(str, range(2018, 2027)))
    assert detector_class(detector.name) is type(detector)


def test_it_comes_back_from_its_settings(build: Build, encoder: DualEncoder) -> None:
    detector = build(encoder)
    kept = json.loads(json.dumps(detector.settings()))  # as a run keeps them
    assert kept == detector.settings()
    assert (kept["detector"], kept["model"]) == (detector.name, encoder.name)
    assert detector_from_settings(kept, encoder) == detector


def test_every_setting_is_part_of_its_settings(build: Build, encoder: DualEncoder) -> None:
    names = {field.name for field in fields(build(encoder))} - {"encoder"}
    assert names == build(encoder).settings().keys() - {"detector", "model"}


def test_it_cannot_be_changed_in_place(build: Build, encoder: DualEncoder) -> None:
    with pytest.raises(FrozenInstanceError):
        build(encoder).encoder = encoder  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_size": 0}, {"seed": -1}, {"seed": 2**32}, {"precision": "float8"}, {"warmup": -1}]
)
def test_settings_out_of_their_bounds_are_refused(build: Build, encoder: DualEncoder, wrong: dict[str, object]) -> None:
    detector = build(encoder)
    if wrong.keys() <= {field.name for field in fields(detector)}:
        with pytest.raises(SettingsError, match=str(*wrong.values())):
            changed(detector, wrong)


def test_every_setting_can_be_typed(build: Build, encoder: DualEncoder) -> None:
    detector = build(encoder)
    values = setting_keys(detector)
    typed = {k: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in values.items()}
    typed = {key: text.lower() if text in ("True", "False", "None") else text for key, text in typed.items()}
    assert changed(detector, parse_settings(detector, typed)) == detector


def test_the_settings_say_with_which_number_format_it_judges(encoder: DualEncoder) -> None:
    kept = LabelMatch(encoder, precision="float32").settings()
    assert kept["precision"] == "float32"
    assert LabelMatch(encoder, precision="float32").detect(photos(8, 2)).info["precision"] == "float32"


def test_a_preset_is_changed_like_any_value(encoder: DualEncoder) -> None:
    shorter = replace(DeFT.for_weak_model(encoder), tuning=VPT(length=4))
    assert (shorter.tuning, shorter.recipe.verdict) == (VPT(length=4), "posterior")
    assert DeFT.paper(encoder).recipe == Recipe(warmup=1, dual_warmup=1, gradient="negative", verdict="negative")


@pytest.mark.parametrize("name", EVERY)
def test_the_bar_of_a_whole_run_knows_every_task(name: str, encoder: DualEncoder, tmp_path: Path) -> None:
    heard = Heard()
    EVERY[name](encoder).detect(photos(30, 3), workspace=Workspace(tmp_path / "run", workers=0, progress=heard))
    assert heard.tasks
    assert {task.partition(", ")[0] for task in heard.tasks} - set(DETECTION) == set()


class Interrupted(Progress):
    """Stops a run, as Ctrl-C would, when an epoch begins."""

    def __init__(self, epoch: int) -> None:
        self.task = f"Training, epoch {epoch}/"

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        if task.startswith(self.task):
            raise KeyboardInterrupt
        return iter(steps)

    def note(self, text: str) -> None:
        return None


@pytest.mark.parametrize("name", WITH_EPOCHS)
def test_a_resumed_run_equals_an_unbroken_one(name: str, encoder: DualEncoder, tmp_path: Path) -> None:
    images, make = photos(70, 4), EVERY[name]
    unbroken = make(encoder).detect(images)
    with pytest.raises(KeyboardInterrupt):
        make(encoder).detect(images, workspace=Workspace(tmp_path, progress=Interrupted(2)))
    same(make(encoder).detect(images, workspace=Workspace(tmp_path, resume=True)), unbroken)


@pytest.mark.parametrize("name", ["deft", *TRAINED])
def test_a_saved_detector_judges_without_training(name: str, encoder: DualEncoder, tmp_path: Path) -> None:
    images = photos(40, 4)
    detector = EVERY[name](encoder)
    assert isinstance(detector, DeFT)
    trained, found = detector.train(images)
    trained.save_pretrained(tmp_path)
    again = deft.TrainedDeFT.from_pretrained(tmp_path, encoder=encoder)
    same(again.detect(images), found)
    new = again.detect(photos(12, 4, seed=0).keep(np.arange(6)))
    assert len(new) == 6


FALSE_ALARMS = {"deft": 0.01, "deft-vpt": 0.02, "deft-last-layer": 0.02, "deft-frozen": 0.02, "small-loss": 0.03}
FOUND = {"deft": 0.95, "deft-vpt": 0.93, "deft-last-layer": 0.93, "deft-frozen": 0.93, "small-loss": 0.60}
ON_DIGITS: dict[str, Build] = {
    "deft": DeFT,
    "deft-vpt": lambda e: DeFT.for_weak_model(e, tuning=VPT(length=4)),
    "deft-last-layer": lambda e: DeFT.for_weak_model(e, tuning=VPT(length=4, layers=1)),
    "deft-frozen": lambda e: DeFT.for_weak_model(e, tuning=Frozen()),
    "small-loss": lambda e: SmallLoss(e, tuning=Frozen(), noise_rate=0.02),
}


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    return load_encoder("tiny", device="cpu")


@pytest.mark.parametrize("name", ON_DIGITS)
def test_clean_labels_of_real_digits_are_left_alone(name: str, tiny: DualEncoder) -> None:
    found = ON_DIGITS[name](tiny).detect(real_digits(1000))
    assert found.is_label_issue.mean() <= FALSE_ALARMS[name]


@pytest.mark.parametrize("name", ON_DIGITS)
def test_wrong_labels_of_real_digits_are_found(name: str, tiny: DualEncoder) -> None:
    images = real_digits(1000)
    noisy = symmetric(images.labels, 0.3, num_classes=10, seed=0)
    build = ON_DIGITS[name] if name != "small-loss" else (lambda e: SmallLoss(e, tuning=Frozen(), noise_rate=0.3))
    found = build(tiny).detect(images.relabel(noisy))
    scores = deft.score_detection(found.is_label_issue, found.p_clean, noisy, images.labels, found.predicted)
    assert scores.f1 >= FOUND[name]


def scattered(images: LabeledImages) -> LabeledImages:
    """The same images with labels, some of them wrong, in another order of rows."""
    return images.keep(np.random.default_rng(7).permutation(len(images)))


def test_the_order_of_rows_changes_no_verdict(build: Build, encoder: DualEncoder) -> None:
    images = photos(70, 4)
    images = images.relabel(symmetric(images.labels, 0.3, num_classes=4, seed=1))
    found = build(encoder).detect(images).table.set_index("file_name")
    other = build(encoder).detect(scattered(images)).table.set_index("file_name")
    assert found.index.tolist() != other.index.tolist()
    pd.testing.assert_frame_equal(other.loc[found.index], found)


def test_moving_and_renaming_files_changes_no_verdict(build: Build, encoder: DualEncoder, tmp_path: Path) -> None:
    images = photos(24, 3)
    old, new = tmp_path / "old", tmp_path / "new" / "deeper"
    for row, label in enumerate(symmetric(images.labels, 0.3, num_classes=3, seed=1).tolist()):
        for root, name in ((old, f"{row:02d}.png"), (new, f"{(row * 7) % 24:02d}-moved.png")):
            (root / f"thing {label}").mkdir(parents=True, exist_ok=True)
            (root / f"thing {label}" / name).write_bytes(image_file(images, row))
    places = [load_images(root) for root in (old, new)]
    runs = [build(encoder).detect(place) for place in places]
    assert runs[0].file_name != runs[1].file_name
    judged = [
        dict(zip(place.content_id, run.p_clean.tolist(), strict=True)) for place, run in zip(places, runs, strict=True)
    ]
    assert judged[0] == judged[1]


def with_copies(images: LabeledImages) -> LabeledImages:
    """Three of the images again at the end: a copy with its label, one with another label, and a brighter one."""
    pixels = [np.asarray(images.reader.read(row)) for row in range(len(images))]
    brighter = (pixels[2] * 1.1 + 5).clip(0, 255).astype(np.uint8)
    labels = [*images.labels.tolist(), int(images.labels[0]), int(images.labels[1] + 1) % 3, int(images.labels[2])]
    return load_images(np.stack([*pixels, pixels[0], pixels[1], brighter]), labels=labels, classes=list("abc"))


def test_duplicates_are_named(build: Build, encoder: DualEncoder, tmp_path: Path) -> None:
    build(encoder).detect(with_copies(photos(30, 3))).save(tmp_path)
    found = Detection.load(tmp_path)
    group = found.table["duplicate_group"]
    assert group[:3].tolist() == group[30:].tolist()
    assert group[:3].nunique() == 3
    assert group[3:30].isna().all()
    kind = found.table["duplicate_kind"]
    assert kind[:3].tolist() == kind[30:].tolist() == ["exact", "exact", "pixels"]
    assert kind[3:30].isna().all()
    told = found.summary()["duplicates"]
    assert told["images_by_kind"] == {"exact": 4, "pixels": 2, "features": 0}
    assert (told["groups"], told["images"], told["groups_with_different_labels"]) == (3, 6, 1)
    assert [one["file_name"] for one in told["different_labels"][0]] == ["array#1", "array#31"]
