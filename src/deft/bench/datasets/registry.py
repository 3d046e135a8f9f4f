"""The benchmark data sets by name; adding one is one file and one line here."""

from __future__ import annotations

from pathlib import Path

from deft.bench.datasets.base import BenchmarkSet
from deft.bench.datasets.cifar import CIFAR10, CIFAR10N, CIFAR100, CIFAR100N
from deft.bench.datasets.clothing1m import Clothing1M
from deft.bench.datasets.cub import CUB200
from deft.bench.datasets.imagenet import ImageNet
from deft.bench.datasets.stanford_cars import StanfordCars
from deft.bench.datasets.tiny_imagenet import TinyImageNet
from deft.bench.datasets.webvision import WebVision50
from deft.errors import SettingsError

DATASETS: dict[str, type[BenchmarkSet]] = {
    "cifar10": CIFAR10,
    "cifar10n": CIFAR10N,
    "cifar100": CIFAR100,
    "cifar100n": CIFAR100N,
    "clothing1m": Clothing1M,
    "cub200": CUB200,
    "imagenet": ImageNet,
    "stanford-cars": StanfordCars,
    "tiny-imagenet": TinyImageNet,
    "webvision50": WebVision50,
}


def benchmark_set(name: str) -> BenchmarkSet:
    """Return a benchmark data set by its name.

    Raises:
        SettingsError: There is none of that name.

    Example:
        >>> benchmark_set("cub200").name
        'CUB-200-2011'
    """
    if name not in DATASETS:
        raise SettingsError(f"Unknown data set {name!r}. Known: {', '.join(sorted(DATASETS))}.")
    return DATASETS[name]()


def recognised(folder: str | Path) -> tuple[str, ...]:
    """Return the names of the data sets that a folder looks like, most particular first.

    Args:
        folder: Any folder.
    """
    place = Path(folder).expanduser()
    found = [name for name, kind in DATASETS.items() if place.is_dir() and kind().recognises(place)]
    # A folder with people's labels is also one without them.
    return tuple(sorted(found, key=lambda name: (not name.endswith("n"), name)))
