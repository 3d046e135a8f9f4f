"""The benchmark data sets by name, each loaded when it is asked for; adding one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from deft.errors import SettingsError
from deft.homes import at_home

if TYPE_CHECKING:
    from deft.bench.datasets.base import BenchmarkSet

DATASETS: Mapping[str, str] = MappingProxyType(
    {
        "cifar10": "deft.bench.datasets.cifar:CIFAR10",
        "cifar10n": "deft.bench.datasets.cifar:CIFAR10N",
        "cifar100": "deft.bench.datasets.cifar:CIFAR100",
        "cifar100n": "deft.bench.datasets.cifar:CIFAR100N",
        "clothing1m": "deft.bench.datasets.clothing1m:Clothing1M",
        "cub200": "deft.bench.datasets.cub:CUB200",
        "imagenet": "deft.bench.datasets.imagenet:ImageNet",
        "stanford-cars": "deft.bench.datasets.stanford_cars:StanfordCars",
        "tiny-imagenet": "deft.bench.datasets.tiny_imagenet:TinyImageNet",
        "webvision50": "deft.bench.datasets.webvision:WebVision50",
    }
)
"""Name to `module:class`."""


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
    kind: type[BenchmarkSet] = at_home(DATASETS[name])
    return kind()


def recognised(folder: str | Path) -> tuple[str, ...]:
    """Return the names of the data sets that a folder looks like, most particular first.

    Args:
        folder: Any folder.
    """
    place = Path(folder).expanduser()
    found = [name for name in DATASETS if place.is_dir() and benchmark_set(name).recognises(place)]
    # A folder with people's labels is also one without them.
    return tuple(sorted(found, key=lambda name: (not name.endswith("n"), name)))
