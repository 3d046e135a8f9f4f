"""Benchmark data sets: a miniature of each original layout comes out as it was published."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from deft.bench.datasets.base import Splits
from deft.bench.datasets.cifar import CIFAR10, CIFAR10N, CIFAR100, CIFAR100N
from deft.bench.datasets.clothing1m import Clothing1M, balanced_draw
from deft.bench.datasets.cub import CUB200
from deft.bench.datasets.imagenet import ImageNet
from deft.bench.datasets.registry import DATASETS, benchmark_set, recognised
from deft.bench.datasets.safe_pickle import read_arrays
from deft.bench.datasets.stanford_cars import StanfordCars
from deft.bench.datasets.tiny_imagenet import TinyImageNet
from deft.bench.datasets.webvision import WebVision50, imagenet_test
from deft.data.load import load_images
from deft.errors import DataError, SettingsError


def photo(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(path, format="JPEG")


def lines(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))


def batch(path: Path, table: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(table, protocol=2))


def cifar10(root: Path) -> None:
    for number in range(1, 6):
        pixels = np.full((2, 3072), number, np.uint8)
        pixels[:, :1024] = 200  # the red plane comes first
        batch(root / f"data_batch_{number}", {"data": pixels, "labels": [number - 1, 9]})
    batch(root / "test_batch", {"data": np.zeros((3, 3072), np.uint8), "labels": [0, 1, 2]})
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    batch(root / "batches.meta", {"label_names": names})


def cifar100(root: Path) -> None:
    batch(root / "train", {"data": np.zeros((4, 3072), np.uint8), "fine_labels": [0, 1, 2, 1]})
    batch(root / "test", {"data": np.zeros((1, 3072), np.uint8), "fine_labels": [2]})
    batch(root / "meta", {"fine_label_names": ["aquarium_fish", "keyboard", "bear"]})


def tiny_imagenet(root: Path) -> None:
    lines(root / "wnids.txt", "n02124075", "n01443537")
    lines(root / "words.txt", "n01443537\tgoldfish, Carassius auratus", "n02124075\tEgyptian cat", "n00001740\tentity")
    for name in ("n02124075", "n01443537"):
        lines(root / "train" / name / f"{name}_boxes.txt", f"{name}_0.JPEG\t0\t0\t62\t62")
        for row in range(2):
            photo(root / "train" / name / "images" / f"{name}_{row}.JPEG")
    for row in range(3):
        photo(root / "val" / "images" / f"val_{row}.JPEG")
    lines(
        root / "val" / "val_annotations.txt",
        "val_0.JPEG\tn01443537\t0\t32\t44\t62",
        "val_1.JPEG\tn02124075\t0\t0\t9\t9",
        "val_2.JPEG\tn01443537\t0\t0\t9\t9",
    )
    photo(root / "test" / "images" / "test_0.JPEG")


def cars(root: Path) -> None:
    (root / "devkit").mkdir(parents=True)
    names = np.array(["AM General Hummer SUV 2000", "Bugatti Veyron 16.4 Coupe 2009"], dtype=object)
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": names})
    fields = [("fname", object), ("class", object)]
    train = np.array([[("00001.jpg", 2), ("00002.jpg", 1)]], dtype=fields)
    savemat(root / "devkit" / "cars_train_annos.mat", {"annotations": train})
    savemat(root / "cars_test_annos_withlabels.mat", {"annotations": np.array([[("00001.jpg", 1)]], dtype=fields)})
    for name in ("cars_train/00001.jpg", "cars_train/00002.jpg", "cars_test/00001.jpg"):
        photo(root / name)


def cub(root: Path) -> None:
    lines(root / "classes.txt", "1 001.Black_footed_Albatross", "2 002.Laysan_Albatross")
    lines(
        root / "images.txt",
        "1 001.Black_footed_Albatross/a.jpg",
        "2 001.Black_footed_Albatross/b.jpg",
        "3 002.Laysan_Albatross/c.jpg",
    )
    lines(root / "image_class_labels.txt", "1 1", "2 1", "3 2")
    lines(root / "train_test_split.txt", "1 0", "2 1", "3 1")
    for name in ("001.Black_footed_Albatross/a.jpg", "001.Black_footed_Albatross/b.jpg", "002.Laysan_Albatross/c.jpg"):
        photo(root / "images" / name)


def clothing(root: Path) -> None:
    lines(root / "category_names_eng.txt", "T-Shirt", "Shirt")
    lines(root / "noisy_train_key_list.txt", "images/7/a.jpg", "images/7/b.jpg")
    lines(root / "noisy_label_kv.txt", "images/7/b.jpg 1", "images/7/a.jpg 0")
    lines(root / "clean_test_key_list.txt", "images/8/c.jpg")
    lines(root / "clean_label_kv.txt", "images/8/c.jpg 1")
    for name in ("7/a.jpg", "7/b.jpg", "8/c.jpg"):
        photo(root / "images" / name)


def webvision(root: Path) -> None:
    lines(root / "info" / "synsets.txt", *(f"n{number:08d} name {number}, other" for number in range(60)))
    lines(
        root / "info" / "train_filelist_google.txt",
        "google/q0001/a b.jpg 0",
        "google/q0900/c.jpg 55",
        "google/q0002/d.jpg 49",
    )
    lines(root / "info" / "val_filelist.txt", "val000001.jpg 3", "val000002.jpg 51")
    for name in ("google/q0001/a b.jpg", "google/q0002/d.jpg", "val_images_256/val000001.jpg"):
        photo(root / name)


def imagenet(root: Path) -> None:
    lines(root / "LOC_synset_mapping.txt", "n02012849 crane", "n03126707 crane", "n02963159 cardigan")
    for part in ("train", "val"):
        for name in ("n02012849", "n03126707", "n02963159"):
            photo(root / part / name / f"{part}_{name}_1.JPEG")


MAKE: dict[str, Callable[[Path], None]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "tiny-imagenet": tiny_imagenet,
    "stanford-cars": cars,
    "cub200": cub,
    "clothing1m": clothing,
    "webvision50": webvision,
    "imagenet": imagenet,
}


def read(name: str, root: Path) -> Splits:
    MAKE[name](root)
    return replace(benchmark_set(name), counts=None).read(root)


@pytest.mark.parametrize("name", MAKE)
def test_every_image_of_a_miniature_can_be_read(name: str, tmp_path: Path) -> None:
    found = read(name, tmp_path)
    for part in (found.train, found.test):
        assert not part.read_errors
        assert all(len(part.reader.read(row)) for row in range(len(part)))
        assert part.classes == found.train.classes
        assert part.words == found.train.words
    assert name in recognised(tmp_path)


@pytest.mark.parametrize("name", MAKE)
def test_missing_images_are_counted(name: str, tmp_path: Path) -> None:
    MAKE[name](tmp_path)
    expected = benchmark_set(name).counts
    assert expected is not None
    with pytest.raises(DataError, match=f"has {expected[0]} training and {expected[1]} test images"):
        benchmark_set(name).read(tmp_path)


@pytest.mark.parametrize("name", DATASETS)
def test_another_folder_says_where_the_data_set_comes_from(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Get it from .* it must lie as: "):
        benchmark_set(name).read(tmp_path)
    assert recognised(tmp_path) == recognised(tmp_path / "nowhere") == ()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"Unknown data set 'mnist'. Known: cifar10, cifar100"):
        benchmark_set("mnist")


def test_cifar_planes_become_pixels_and_batches_follow_each_other(tmp_path: Path) -> None:
    found = read("cifar10", tmp_path)
    assert found.train.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    pixels = found.train.reader.read(4)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (32, 32, 3)
    assert pixels[0, 0].tolist() == [200, 3, 3]
    assert found.train.clean_labels is None


def test_cifar100_keeps_its_spelling_and_reads_better_words(tmp_path: Path) -> None:
    found = read("cifar100", tmp_path)
    assert found.train.classes == ("aquarium_fish", "keyboard", "bear")
    assert found.train.words == ("aquarium fish", "computer keyboard", "bear")


def old_torch(table: object) -> bytes:
    stream = io.BytesIO()
    torch.save(table, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def new_torch(table: object) -> bytes:
    stream = io.BytesIO()
    torch.save(table, stream)
    return stream.getvalue()


def numpy_object(table: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(table, dtype=object), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("ending", "write"),
    [("_human.pt", old_torch), ("_human.pt", new_torch), ("_human_ordered.npy", numpy_object)],
)
def test_labels_of_people_stand_beside_the_true_ones(
    ending: str, write: Callable[[object], bytes], tmp_path: Path
) -> None:
    cifar10(tmp_path)
    true = np.array([0, 9, 1, 9, 2, 9, 3, 9, 4, 9])
    table = {"clean_label": true, "worse_label": (true + 1) % 10, "aggre_label": true}
    (tmp_path / f"CIFAR-10{ending}").write_bytes(write(table))
    found = CIFAR10N(counts=None).read(tmp_path)
    assert found.train.labels.tolist() == ((true + 1) % 10).tolist()
    assert found.train.clean_labels is not None
    assert found.train.clean_labels.tolist() == true.tolist()
    assert found.test.labels.tolist() == [0, 1, 2]
    assert CIFAR10N(counts=None, labels="aggre_label").read(tmp_path).train.labels.tolist() == true.tolist()
    assert recognised(tmp_path)[0] == "cifar10n"


def test_labels_of_people_in_another_order_are_refused(tmp_path: Path) -> None:
    cifar100(tmp_path)
    table = {"clean_label": np.array([1, 0, 2, 1]), "noisy_label": np.array([1, 1, 1, 1])}
    (tmp_path / "CIFAR-100_human.pt").write_bytes(old_torch(table))
    with pytest.raises(DataError, match="another order of the images"):
        CIFAR100N(counts=None).read(tmp_path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [pickle.dumps, old_torch, new_torch, numpy_object])
def test_a_pickle_that_would_run_something_does_not(write: Callable[[object], bytes], tmp_path: Path) -> None:
    path = tmp_path / "labels.pt"
    path.write_bytes(write({"clean_label": Trap(tmp_path / "ran")}))
    with pytest.raises(DataError, match="mkdir, which is no array; it isn't read"):
        read_arrays(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_a_damaged_pickle_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged, or no pickle"):
        read_arrays(path)


def test_tiny_imagenet_takes_its_validation_photos_by_its_list(tmp_path: Path) -> None:
    found = read("tiny-imagenet", tmp_path)
    assert found.train.classes == ("n02124075", "n01443537")
    assert found.train.words == ("Egyptian cat", "goldfish")
    assert found.train.labels.tolist() == [0, 0, 1, 1]
    assert dict(zip(found.test.file_name, found.test.labels.tolist(), strict=True)) == {
        "val/images/val_0.JPEG": 1,
        "val/images/val_1.JPEG": 0,
        "val/images/val_2.JPEG": 1,
    }


def test_tiny_imagenet_with_a_class_that_is_not_there(tmp_path: Path) -> None:
    tiny_imagenet(tmp_path)
    lines(tmp_path / "val" / "val_annotations.txt", "val_0.JPEG\tn09999999\t0")
    with pytest.raises(DataError, match=r"Line 1 of .*val_annotations.txt doesn't name a photo and one of the classes"):
        TinyImageNet(counts=None).read(tmp_path)


def test_cars_count_from_one_in_both_forms(tmp_path: Path) -> None:
    found = read("stanford-cars", tmp_path)
    assert found.train.labels.tolist() == [1, 0]
    assert found.train.words == ("2000 AM General Hummer SUV", "2009 Bugatti Veyron 16.4 Coupe")
    (tmp_path / "devkit" / "cars_train_annos.mat").unlink()
    lines(tmp_path / "train_perfect_preds.txt", "2", "1")
    assert StanfordCars(counts=None).read(tmp_path).train.labels.tolist() == [1, 0]
    lines(tmp_path / "train_perfect_preds.txt", "0", "1")
    with pytest.raises(DataError, match="counts classes from 1 to 2"):
        StanfordCars(counts=None).read(tmp_path)


def test_birds_are_divided_by_their_list(tmp_path: Path) -> None:
    found = read("cub200", tmp_path)
    assert found.train.file_name == ("images/001.Black_footed_Albatross/b.jpg", "images/002.Laysan_Albatross/c.jpg")
    assert found.test.labels.tolist() == [0]
    assert found.train.classes[0] == "001.Black_footed_Albatross"
    assert found.train.words[0] == "Black footed Albatross"
    lines(tmp_path / "train_test_split.txt", "1 0", "2 1")
    with pytest.raises(DataError, match="don't name the same images"):
        CUB200(counts=None).read(tmp_path)


def test_clothing_labels_are_found_by_key(tmp_path: Path) -> None:
    found = read("clothing1m", tmp_path)
    assert found.train.labels.tolist() == [0, 1]
    lines(tmp_path / "noisy_label_kv.txt", "images/7/b.jpg 1")
    with pytest.raises(DataError, match=r"no label for 1 image .* images/7/a.jpg"):
        Clothing1M(counts=None).read(tmp_path)


def test_a_balanced_draw_takes_as_many_of_each_label() -> None:
    labels = np.repeat([0, 1, 2], [50, 20, 90])
    rows = balanced_draw(labels, 61, seed=0)
    assert np.bincount(labels[rows]).tolist() == [20, 20, 20]
    assert len(set(rows.tolist())) == 60
    assert not np.array_equal(rows, balanced_draw(labels, 61, seed=1))
    assert np.array_equal(rows, balanced_draw(labels, 61, seed=0))
    with pytest.raises(DataError, match="Class 1 has 20 images"):
        balanced_draw(labels, 90, seed=0)


def test_webvision_takes_the_first_fifty_classes(tmp_path: Path) -> None:
    found = read("webvision50", tmp_path)
    assert len(found.train.classes) == 50
    assert found.train.file_name == ("google/q0001/a b.jpg", "google/q0002/d.jpg")
    assert found.train.labels.tolist() == [0, 49]
    assert found.test.labels.tolist() == [3]
    other = tmp_path / "imagenet"
    for name in found.train.classes:
        photo(other / "val" / name / "1.JPEG")
    assert imagenet_test(other, found.train).labels.tolist() == list(range(50))
    assert WebVision50(counts=None).recognises(tmp_path)


def test_imagenet_has_two_cranes(tmp_path: Path) -> None:
    found = read("imagenet", tmp_path)
    assert found.train.classes == ("n02012849", "n03126707", "n02963159")
    assert found.train.words == ("crane, a bird", "construction crane", "cardigan, a garment")
    (tmp_path / "val" / "n02963159" / "val_n02963159_1.JPEG").unlink()
    (tmp_path / "val" / "n02963159").rmdir()
    with pytest.raises(DataError, match="n02963159 has no folder"):
        ImageNet(counts=None).read(tmp_path)


@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100, CIFAR10N, CIFAR100N])
def test_cifar_has_the_published_sizes(kind: type[CIFAR10]) -> None:
    assert kind().counts == (50_000, 10_000)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("cifar10", r"CIFAR-10 as its authors published it \(data_batch_1"),
        ("cifar100", "CIFAR-100"),
        ("clothing1m", r"Clothing1M as its authors published it \(noisy_label_kv.txt"),
        ("webvision50", "WebVision"),
        ("stanford-cars", "Stanford Cars"),
    ],
)
def test_a_set_whose_labels_are_no_folders_is_named_by_the_general_reader(
    name: str, called: str, tmp_path: Path
) -> None:
    MAKE[name](tmp_path)
    with pytest.raises(DataError, match=f"is {called}") as refused:
        load_images(tmp_path)
    assert f"benchmark_set('{name}').read(FOLDER)" in str(refused.value)


@pytest.mark.parametrize("name", ["tiny-imagenet", "imagenet", "cub200"])
def test_a_set_whose_labels_are_folders_is_read_alike_by_the_general_reader(name: str, tmp_path: Path) -> None:
    own = read(name, tmp_path)
    images = load_images(tmp_path)
    expected = {
        file.removeprefix("images/"): part.classes[label]
        for part in (own.train, own.test)
        for file, label in zip(part.file_name, part.labels, strict=True)
    }
    found = {
        file.removeprefix("images/"): images.classes[label]
        for file, label in zip(images.file_name, images.labels, strict=True)
        if label >= 0
    }
    assert found == expected
