"""Where experiments work: each of several processes in a folder of its own, with what the others have computed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from deft.errors import DataError
from deft.runs.earlier import link_computed
from deft.runs.folder import PIXELS
from deft.runs.lock import only_writer

OUTPUTS = "outputs-*.npy"
"""Pattern of the files that hold what a model gave."""


@contextlib.contextmanager
def own_folder(first: Path) -> Iterator[Path]:
    """Yield a folder that this process alone writes into until the end: FIRST, or FIRST-2, FIRST-3, ...

    What other processes have decoded and encoded is linked into it, so that it isn't done again.

    Args:
        first: Taken if no other process is in it.

    Example:
        >>> with own_folder(Path("results/work/small/cifar10")) as folder:  # doctest: +SKIP
        ...     Workspace(folder, keep_features=True)
    """
    with contextlib.ExitStack() as held:
        own = _first_free(first, held)
        for other in sorted(first.parent.glob(f"{first.name}*")):
            if other.is_dir() and other != own and other.name in (first.name, *_numbered(first, other)):
                for pattern in (PIXELS, OUTPUTS):
                    link_computed(other, own, pattern)
        yield own


def _first_free(first: Path, held: contextlib.ExitStack) -> Path:
    for number in count(1):
        place = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with contextlib.suppress(DataError):  # another process is in it
            held.enter_context(only_writer(place))
            return place
    raise AssertionError("There is a free one among all numbers.")


def _numbered(first: Path, other: Path) -> tuple[str, ...]:
    """Return the name of another process's folder; nothing if it is a folder of something else."""
    number = other.name.removeprefix(f"{first.name}-")
    return (other.name,) if number.isdigit() else ()
