"""Benchmark data sets as their authors published them, where folders don't say the labels: named, not guessed at."""

from __future__ import annotations

from dataclasses import dataclass

from deft.data.tree import Tree
from deft.errors import DataError


@dataclass(frozen=True)
class Published:
    """A data set whose own layout can't be read as folders of classes.

    Args:
        name: What people call it.
        loader: What `deft.bench.datasets` calls it.
        files: What it has in its root that nothing else has.
    """

    name: str
    loader: str
    files: tuple[str, ...]


PUBLISHED = (
    Published("CIFAR-10", "cifar10", ("data_batch_1", "test_batch", "batches.meta")),
    Published("CIFAR-100", "cifar100", ("train", "test", "meta")),
    Published("Clothing1M", "clothing1m", ("noisy_label_kv.txt", "noisy_train_key_list.txt")),
    Published("WebVision", "webvision50", ("info/synsets.txt", "info/train_filelist_google.txt")),
    Published("Stanford Cars", "stanford-cars", ("devkit/cars_meta.mat",)),
    Published("Stanford Cars", "stanford-cars", ("cars_meta.mat",)),
)


def refuse_published(tree: Tree) -> None:
    """Refuse a tree that is one of `PUBLISHED`, with the loader that reads it.

    Args:
        tree: What lies where.

    Raises:
        DataError: It is one.
    """
    there = set(tree.others)
    for known in PUBLISHED:
        if there.issuperset(known.files):
            raise DataError(
                f"{tree.where} is {known.name} as its authors published it ({', '.join(known.files)}): its labels "
                f"aren't folders. In Python, deft.bench.datasets.registry.benchmark_set({known.loader!r}).read(FOLDER) "
                f"reads it, and deft bench --data takes it; elsewhere name a table of its images and labels."
            )
