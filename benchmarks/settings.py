"""The settings that detectors are compared in, on embeddings that are computed once for all methods.

Rows for tuning are CIFAR-10N 0 to 9,999, the first file of Tiny-ImageNet, half of the classes of Stanford Cars and of
Caltech-101, and 5,000 photos of Imagenette; rows for the tables are CIFAR-10N 10,000 to 19,999, the second file, all
cars, the other classes of Caltech-101, and 5,000 other photos of Imagenette (`Bank.rows`).
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.encoders.base import DualEncoder
from deft.files import replace_file
from deft.noise import asymmetric, instance_dependent, pair_flip, symmetric
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.checkpoint import encoder_fingerprint
from deft.training.inputs import Inputs, Reading, open_inputs
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

Part = Literal["tuning", "tables"]
"""Rows that settings of the code were chosen on, or rows that the tables are made from."""
CIFAR = {"tuning": (0, 10_000), "tables": (10_000, 20_000)}  # rows of CIFAR-10N
TINY_IMAGENET = {"tuning": "tiny-imagenet-train-0.parquet", "tables": "tiny-imagenet-train-1.parquet"}
COUNT = 5_000  # photos of a setting, where the data set has as many
HUMAN = ("worse_label", "aggre_label", "random_label1")
CIFAR_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MIXED_UP = {"truck": "automobile", "bird": "airplane", "deer": "horse", "cat": "dog", "dog": "cat"}
NEAR = (  # what Tiny-ImageNet has of CIFAR's classes
    *("cat", "dog", "truck", "ship", "car", "wagon", "frog", "bird", "goose", "penguin", "stork", "albatross", "bus"),
    *("limousine", "retriever", "terrier", "poodle", "chihuahua", "shepherd", "trailer", "van", "gazelle"),
)
IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


@dataclass(frozen=True)
class Case:
    """Labelled images of a setting with their embeddings.

    Args:
        images: With given labels and the truth, N of them; a foreign image's truth is −1.
        pooled: What linear heads are trained on, (N, P).
        joint: Unit features in the joint space, (N, D).
    """

    images: LabeledImages
    pooled: Tensor
    joint: Tensor

    @property
    def wrong(self) -> np.ndarray:
        """Whether each label is wrong, bool (N,)."""
        assert self.images.clean_labels is not None
        wrong: np.ndarray = self.images.labels != self.images.clean_labels
        return wrong

    def keep(self, rows: np.ndarray) -> Case:
        """Return some of the rows."""
        index = torch.from_numpy(rows)
        return Case(self.images.keep(rows), self.pooled[index], self.joint[index])

    def relabel(self, labels: np.ndarray) -> Case:
        """Return the same images with other given labels."""
        return Case(self.images.relabel(labels), self.pooled, self.joint)


class Kept(Loader):
    """Reads features from memory."""

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return self._features[torch.from_numpy(rows)]


def inputs_of(features: Tensor, images: LabeledImages, encoder: DualEncoder, reading: Reading) -> Inputs:
    """Return inputs that read features from memory instead of images."""
    batches = Batches(
        Kept(features),
        images.labels,
        np.arange(len(images)),
        batch_size=reading.batch_size,
        seed=reading.seed,
        device=encoder.device,
    )
    return Inputs(batches, {}, images.trusted, np.full(len(images), -1), images)


@dataclass(frozen=True)
class Bank:
    """Data sets with embeddings, computed when they are first asked for and kept in a folder.

    Args:
        data: Holds the Parquet files, `CIFAR-10_human.pt`, and the photos' folders.
        photos: Holds `imagenette`, `cars` and `caltech/101_ObjectCategories`.
        cache: Where embeddings are kept, by encoder and content.
        encoder: The model.
        rows: Those for tuning or those for the tables.
    """

    data: Path
    photos: Path
    cache: Path
    encoder: DualEncoder
    rows: Part = "tables"
    _open: dict[str, Case] = field(default_factory=dict, repr=False)

    def case(self, name: str) -> Case:
        """Return a whole data set: "cifar", "tiny_imagenet", "imagenette", "cars" or "caltech"."""
        if name not in self._open:
            self._open[name] = getattr(self, f"_{name}")()
        return self._open[name]

    def _cifar(self) -> Case:
        """Ten thousand photos of CIFAR-10N with true labels."""
        images = load_images(self.data / "cifar10n-train.parquet", label_column="label_true")
        return self._embedded(_true(images.keep(np.arange(*CIFAR[self.rows]))))

    def human(self, column: str) -> np.ndarray:
        """One column of people's labels for the rows of CIFAR, in its classes."""
        labels = torch.load(self.data / "CIFAR-10_human.pt", weights_only=False)
        place = {name: index for index, name in enumerate(self.case("cifar").images.classes)}
        return np.array([place[CIFAR_NAMES[int(label)]] for label in labels[column][slice(*CIFAR[self.rows])]])

    def _tiny_imagenet(self) -> Case:
        """Five thousand photos of 200 classes at 64 px."""
        images = load_images(self.data / TINY_IMAGENET[self.rows], label_column="name")
        return self._embedded(_true(images.keep(np.arange(COUNT))))

    def _imagenette(self) -> Case:
        """Five thousand full-size photos of ten classes whose names the text knows."""
        files = sorted((self.photos / "imagenette").glob("*/*/*.JPEG"))
        order = np.random.default_rng(5).permutation(len(files))
        files = [files[row] for row in (order[:COUNT] if self.rows == "tuning" else order[COUNT : 2 * COUNT])]
        return self._embedded(_table([(str(file), IMAGENETTE[file.parent.name]) for file in files]))

    def _cars(self) -> Case:
        """All 8,144 photos of Stanford Cars' 196 classes; for tuning those of 98 classes."""
        from scipy.io import loadmat

        folder = self.photos / "cars"
        names = [str(name[0]) for name in loadmat(folder / "cars_meta.mat")["class_names"][0]]
        labels = [int(line) - 1 for line in (folder / "train_perfect_preds.txt").read_text().split()]
        files = sorted((folder / "cars_train").glob("*.jpg"))
        some = set(range(len(names)))
        if self.rows == "tuning":
            some = set(np.random.default_rng(9).permutation(len(names))[: len(names) // 2].tolist())
        rows = [(str(file), names[label]) for file, label in zip(files, labels, strict=True) if label in some]
        return self._embedded(_table(rows))

    def _caltech(self) -> Case:
        """Full-size photos of half of Caltech-101's classes: 31 to 800 of each, most of them much alike."""
        folder = self.photos / "caltech" / "101_ObjectCategories"
        classes = sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name != "BACKGROUND_Google")
        order = np.random.default_rng(11).permutation(len(classes))
        first = -(-len(classes) // 2)
        some = {classes[place] for place in (order[:first] if self.rows == "tuning" else order[first:])}
        files = [file for name in classes if name in some for file in sorted((folder / name).glob("*.jpg"))]
        return self._embedded(_table([(str(file), file.parent.name.replace("_", " ")) for file in files]))

    def _embedded(self, images: LabeledImages) -> Case:
        belongs = encoder_fingerprint(self.encoder) + images.fingerprint
        path = self.cache / f"{hashlib.blake2b(belongs.encode(), digest_size=12).hexdigest()}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = frozen_part(self.encoder, Frozen(), "pooled")
            with open_inputs(part, images, Workspace(workers=1), Reading()) as inputs:
                assert not inputs.read_errors
                features = np.concatenate([batch.inputs.cpu().numpy() for batch in inputs.batches.ordered()])
            with replace_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, features)
        pooled = torch.from_numpy(np.load(path))
        with torch.no_grad():
            return Case(images, pooled, F.normalize(self.encoder.project(pooled), dim=-1))


Setting = Callable[[Bank, int], Case]


def settings() -> Mapping[str, Setting]:
    """Return every setting by name: from a bank and a seed to a case."""
    table: dict[str, Setting] = {
        "human-worst": lambda bank, seed: _part(bank.case("cifar").relabel(bank.human("worse_label")), seed),
        "human-majority": lambda bank, seed: _part(bank.case("cifar").relabel(bank.human("aggre_label")), seed),
        "human-one": lambda bank, seed: _part(bank.case("cifar").relabel(bank.human("random_label1")), seed),
    }
    table["human-majority-1000"] = lambda bank, seed: _some(bank, "aggre_label", 1000, seed)
    table["human-one-500"] = lambda bank, seed: _some(bank, "random_label1", 500, seed)
    for rate in (0.0, 0.1, 0.2, 0.4, 0.6):
        table[f"symmetric-{rate}"] = _symmetric(lambda bank, seed: _part(bank.case("cifar"), seed), rate)
    table["pair-0.3"] = _pairs(lambda bank, seed: _part(bank.case("cifar"), seed), 0.3)
    table["imagenette-pair-0.4"] = _pairs(lambda bank, seed: bank.case("imagenette"), 0.4)
    table["tiny-imagenet-pair-0.2"] = _pairs(lambda bank, seed: bank.case("tiny_imagenet"), 0.2)
    table["asymmetric-0.4"] = _asymmetric
    table["instance-0.4"] = _instance
    table["long-tail-0.2"] = _symmetric(_long_tail, 0.2)
    table["two-classes-0.15"] = _symmetric(_cats_and_dogs, 0.15)
    table["two-classes-one-way-0.2"] = _cats_called_dogs
    table["open-set-0.1"] = _open_set
    table["open-crowd-0.1"] = _open_crowd
    table["60-a-class-0.2"] = _symmetric(lambda bank, seed: _first(bank.case("cifar"), seed, [60] * 10), 0.2)
    table["20-a-class-0.2"] = _symmetric(lambda bank, seed: _first(bank.case("cifar"), seed, [20] * 10), 0.2)
    table["imagenette-20-a-class-0.2"] = _symmetric(_few("imagenette", 10, 20), 0.2)
    table["imagenette-20-a-class-pair-0.3"] = _pairs(_few("imagenette", 10, 20), 0.3)
    for rate in (0.0, 0.2):
        table[f"caltech-20-a-class-{rate}"] = _symmetric(_few("caltech", 50, 20), rate)
    table["caltech-20-a-class-pair-0.3"] = _pairs(_few("caltech", 50, 20), 0.3)
    table["caltech-six-classes-0.1"] = _symmetric(_few("caltech", 6, 60), 0.1)
    table["caltech-six-classes-pair-0.3"] = _pairs(_few("caltech", 6, 60), 0.3)
    table["caltech-three-classes-0.1"] = _symmetric(_few("caltech", 3, 25), 0.1)
    table["cars-five-classes-0.2"] = _symmetric(_few("cars", 5, 40), 0.2)
    table["imagenette-three-classes-0.4"] = _symmetric(_few("imagenette", 3, 30), 0.4)
    for rate in (0.0, 0.2, 0.4):
        table[f"cars-20-a-class-{rate}"] = _symmetric(_few("cars", 90, 20), rate)
    table["cars-ten-classes-pair-0.3"] = _pairs(_few("cars", 10, 20), 0.3)
    table["three-ships-0"] = _three_ships
    table["small-and-other-0"] = _catch_all
    for rate in (0.2, 0.4):
        table[f"tiny-imagenet-{rate}"] = _symmetric(lambda bank, seed: bank.case("tiny_imagenet"), rate)
        table[f"imagenette-{rate}"] = _symmetric(lambda bank, seed: bank.case("imagenette"), rate)
        table[f"cars-{rate}"] = _symmetric(lambda bank, seed: bank.case("cars"), rate)
    return table


def _true(images: LabeledImages) -> LabeledImages:
    return replace(images, clean_labels=images.labels)


def _table(rows: list[tuple[str, str]]) -> LabeledImages:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file_name", "label"), *rows])
        return _true(load_images(path, label_column="label"))


def _truth(case: Case) -> np.ndarray:
    assert case.images.clean_labels is not None
    return case.images.clean_labels


def _part(case: Case, seed: int) -> Case:
    """Half of the photos, drawn by the seed."""
    return case.keep(np.sort(np.random.default_rng([seed, 1]).permutation(len(case.images))[:COUNT]))


def _some(bank: Bank, column: str, count: int, seed: int) -> Case:
    """So many photos with people's labels, drawn by the seed."""
    case = bank.case("cifar").relabel(bank.human(column))
    return case.keep(np.sort(np.random.default_rng([seed, 6]).permutation(len(case.images))[:count]))


def _symmetric(base: Setting, rate: float) -> Setting:
    def make(bank: Bank, seed: int) -> Case:
        case = base(bank, seed)
        return case.relabel(symmetric(_truth(case), rate, num_classes=len(case.images.classes), seed=seed))

    return make


def _pairs(base: Setting, rate: float) -> Setting:
    def make(bank: Bank, seed: int) -> Case:
        case = base(bank, seed)
        return case.relabel(pair_flip(_truth(case), rate, num_classes=len(case.images.classes), seed=seed))

    return make


def _asymmetric(bank: Bank, seed: int) -> Case:
    """Four tenths of trucks are cars, of birds airplanes, deer horses, cats dogs, dogs cats (Patrini et al. 2017)."""
    case = _part(bank.case("cifar"), seed)
    place = {name: index for index, name in enumerate(case.images.classes)}
    wrong = {place[name]: place[other] for name, other in MIXED_UP.items()}
    return case.relabel(asymmetric(_truth(case), 0.4, class_map=wrong, num_classes=10, seed=seed))


def _instance(bank: Bank, seed: int) -> Case:
    """Noise by the photo's own pixels, as the paper's code makes it (Xia et al. 2020)."""
    case = _part(bank.case("cifar"), seed)
    pixels = np.stack(
        [np.asarray(one.image.convert("RGB")) for one in (case.images[n] for n in range(len(case.images)))]
    )
    return case.relabel(instance_dependent(pixels, _truth(case), 0.4, num_classes=10, seed=seed, scale="raw"))


def _first(case: Case, seed: int, sizes: list[int]) -> Case:
    """So many photos of each class, drawn by the seed."""
    order, truth = np.random.default_rng([seed, 2]).permutation(len(case.images)), _truth(case)
    chosen = [order[truth[order] == label][:size] for label, size in enumerate(sizes)]
    return case.keep(np.sort(np.concatenate(chosen)))


def _few(name: str, classes: int, photos: int) -> Setting:
    """So many photos of each of so many classes, both drawn by the seed."""

    def make(bank: Bank, seed: int) -> Case:
        case = bank.case(name)
        truth, rng = _truth(case), np.random.default_rng([seed, 5])
        enough = np.flatnonzero(np.bincount(truth) >= photos)
        chosen = np.sort(rng.permutation(enough)[:classes])
        rows = np.concatenate([rng.permutation(np.flatnonzero(truth == label))[:photos] for label in chosen])
        case = case.keep(np.sort(rows))
        names = tuple(bank.case(name).images.classes[label] for label in chosen)
        return _named(case, names, np.searchsorted(chosen, _truth(case)).astype(np.int64))

    return make


def _long_tail(bank: Bank, seed: int) -> Case:
    sizes = (900 * 0.05 ** (np.arange(10) / 9)).astype(int)
    return _first(bank.case("cifar"), seed, np.random.default_rng([seed, 3]).permutation(sizes).tolist())


def _cats_and_dogs(bank: Bank, seed: int) -> Case:
    case = bank.case("cifar")
    cat, dog = (case.images.classes.index(name) for name in ("cat", "dog"))
    case = case.keep(np.flatnonzero(np.isin(_truth(case), (cat, dog))))
    return _named(case, ("cat", "dog"), (_truth(case) == dog).astype(np.int64))


def _cats_called_dogs(bank: Bank, seed: int) -> Case:
    """Of cats and dogs, four of ten cats bear the name of the dogs; all dogs their own."""
    case = _cats_and_dogs(bank, seed)
    truth = _truth(case)
    cats = np.flatnonzero(truth == 0)
    labels = truth.copy()
    labels[np.random.default_rng([seed, 8]).permutation(cats)[: round(0.4 * len(cats))]] = 1
    return case.relabel(labels)


def _named(case: Case, classes: tuple[str, ...], truth: np.ndarray) -> Case:
    """The same images in other classes."""
    images = replace(case.images, labels=truth, classes=classes, words=(), clean_labels=truth)
    return Case(images, case.pooled, case.joint)


def _three_ships(bank: Bank, seed: int) -> Case:
    case = bank.case("cifar")
    return _first(case, seed, [3 if name == "ship" else 100 for name in case.images.classes])


def _catch_all(bank: Bank, seed: int) -> Case:
    case = _first(bank.case("cifar"), seed, [40] * 10)
    names = np.array(case.images.classes)[_truth(case)]
    return _named(case, ("cat", "other", "ship"), np.select([names == "cat", names == "ship"], [0, 2], 1))


def _open_set(bank: Bank, seed: int) -> Case:
    """Nine tenths CIFAR with true labels, a tenth photos of things that are none of its classes, labelled at random."""
    other = bank.case("tiny_imagenet")
    strange = [k for k, name in enumerate(other.images.words) if not any(part in name.lower() for part in NEAR)]
    return _with_guests(_part(bank.case("cifar"), seed), other, np.isin(_truth(other), strange), seed)


def _open_crowd(bank: Bank, seed: int) -> Case:
    """Nine tenths Imagenette with true labels, a tenth photos of cars, which are all alike, labelled at random."""
    other = bank.case("cars")
    return _with_guests(bank.case("imagenette"), other, np.ones(len(other.images), bool), seed)


def _with_guests(known: Case, other: Case, strange: np.ndarray, seed: int) -> Case:
    rng = np.random.default_rng([seed, 4])
    drawn = rng.permutation(np.flatnonzero(strange))[: len(known.images) // 9]
    guests = other.keep(drawn)
    labels = np.concatenate([_truth(known), rng.integers(len(known.images.classes), size=len(drawn))])
    truth = np.concatenate([_truth(known), np.full(len(drawn), -1)])
    ids = (*known.images.content_id, *guests.images.content_id)
    pixels = np.zeros((len(labels), 1, 1, 3), np.uint8)  # only the embeddings are read
    images = load_images(pixels, labels=labels, classes=list(known.images.classes))
    images = replace(images, clean_labels=truth, content=ids)
    case = Case(images, torch.cat([known.pooled, guests.pooled]), torch.cat([known.joint, guests.joint]))
    return case.keep(rng.permutation(len(labels)))
