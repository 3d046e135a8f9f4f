"""Outputs of the frozen part of an encoder, computed once per image and kept on disk."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from deft.errors import SettingsError
from deft.files import reserve, temporary_folder
from deft.manifest import intact, replace_sealed
from deft.progress import Progress
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.finite import check_numbers
from deft.training.precision import autocast


class BankLoader(Loader):
    """Reads kept outputs; view 0 is the plain one, then come the weak and the strong ones.

    Close it, or use it in a `with` statement: its disk space is then free again.

    Args:
        views: Memory-mapped outputs, (V, N, ...).
        device: Where the batches go.
        strong: How many of the views, at the end, are strong ones.
    """

    def __init__(self, views: np.ndarray, device: torch.device, *, strong: int = 0) -> None:
        self._views: np.ndarray | None = views
        self._device = device
        self._strong = strong

    @property
    def views(self) -> np.ndarray:
        """The kept outputs, (V, N, ...)."""
        if self._views is None:
            raise ValueError("The kept outputs are closed.")
        return self._views

    def close(self) -> None:
        """Let go of the outputs; may be called twice."""
        self._views = None  # the last reference: the file without a name goes with it

    def __enter__(self) -> BankLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        chosen = np.zeros(len(rows), np.int64)
        weak = len(self.views) - self._strong
        if rng is not None and view == "weak":
            chosen = rng.integers(weak, size=len(rows))
        elif rng is not None and view == "strong":
            if not self._strong:
                raise SettingsError("This method needs strong views, but none were kept of the images.")
            chosen = rng.integers(weak, weak + self._strong, size=len(rows))
        return torch.from_numpy(self.views[chosen, rows]).to(self._device).float()


def keep_outputs(
    encode: Callable[[Tensor], Tensor],
    batches: Batches,
    folder: Path,
    *,
    views: int,
    strong: int = 0,
    precision: torch.dtype,
    progress: Progress,
    name: str | None = None,
    known: np.ndarray | None = None,
) -> BankLoader:
    """Run a frozen function over all images once per view, and keep what it gives in a file.

    Args:
        encode: Gives one array per image, (B, ...), of pixels (B, 3, S, S).
        batches: The images.
        folder: Where the disk space is taken.
        views: Number of weak views; the first is plain, the others are cropped and flipped at random.
        strong: Number of strong views beside them.
        precision: Number format of the computation.
        progress: Told of every batch.
        name: By which the file is found again; None takes one without a name, whose space is given back when the
            loader is gone.
        known: Outputs of the plain view that are there already, (N, D), NaN where they aren't.

    Returns:
        A loader for the same rows. Tokens are kept in float16, features (B, D) in float32.

    Raises:
        NotFinite: An output isn't.
    """
    path = None if name is None else folder / f"outputs-{name}.npy"
    if path is not None and path.is_file() and intact(path):
        return BankLoader(np.load(path, mmap_mode="r"), batches.device, strong=strong)
    total, processes, missing = views + strong, batches.processes, batches.rows
    bank = _shared(encode, batches, folder, total, precision) if processes.count > 1 else None
    if known is not None:
        bank = _reserve(folder, (total, *known.shape)) if bank is None else bank
        missing = _take(bank, known, batches)
    for view in range(total):
        rng = np.random.default_rng([batches.seed, view]) if view else None
        kind: View = "weak" if view < views else "strong"
        task = "Encoding images" if total == 1 else f"Encoding images, view {view + 1}/{total}"
        chunks = _chunks(batches.rows if view else missing, batches.batch_size)
        if not chunks:
            continue
        for rows, inputs in _own(batches, progress.track(chunks, task, total=len(chunks)), rng, kind):
            with torch.no_grad(), autocast(precision, batches.device):
                outputs = encode(inputs)
            if bank is None:
                bank = _reserve(folder, (total, len(batches.labels), *outputs.shape[1:]))
            _put(bank[view], rows, outputs.float().cpu())
    assert bank is not None
    processes.wait()
    if path is not None and processes.writes:
        with replace_sealed(path) as temporary, temporary.open("wb") as file:
            np.save(file, bank)
    return BankLoader(bank, batches.device, strong=strong)


def _take(bank: np.ndarray, known: np.ndarray, batches: Batches) -> Rows:
    """Put into the plain view what is known of it, and return the rows that are missing."""
    if batches.processes.writes:
        bank[0] = known
    batches.processes.wait()
    missing: Rows = batches.rows[np.isnan(known[batches.rows]).any(axis=1)]
    return missing


def _own(
    batches: Batches, chunks: Iterable[Rows], rng: np.random.Generator | None, kind: View
) -> Iterator[tuple[Rows, Tensor]]:
    """Yield the chunks that this process computes, with their inputs."""
    processes = batches.processes
    for number, rows in enumerate(chunks):
        own = number % processes.count == processes.rank
        if own or rng is not None:  # views are drawn of all chunks, so that all processes draw the same numbers
            inputs = batches.loader.load(rows, rng, kind)
        if own:
            yield rows, inputs


def _put(view: np.ndarray, rows: Rows, outputs: Tensor) -> None:
    """Keep the outputs of some rows, which must be finite in the form in which they are kept."""
    check_numbers(outputs.half() if view.dtype == np.float16 else outputs, rows, "The features of the model")
    view[rows] = outputs.numpy()


def _chunks(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _shared(
    encode: Callable[[Tensor], Tensor], batches: Batches, folder: Path, total: int, precision: torch.dtype
) -> np.ndarray:
    """Return one file for all processes, into which each writes its part; its name is gone once all have it open."""
    processes = batches.processes
    with torch.no_grad(), autocast(precision, batches.device):
        outputs = encode(batches.loader.load(batches.rows[:1], None))
    shape = (total, len(batches.labels), *outputs.shape[1:])
    with contextlib.ExitStack() as opened:
        place = opened.enter_context(temporary_folder(folder / "features")) if processes.writes else None
        path = Path(processes.tell(None if place is None else str(place.absolute()))) / "features"
        if processes.writes:
            with path.open("wb") as file:
                reserve(file.fileno(), _bytes(shape))
        processes.wait()
        bank = np.memmap(path, dtype=_kind(shape), mode="r+", shape=shape)
        processes.wait()
    return bank


def _reserve(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    with tempfile.TemporaryFile(dir=folder) as file:
        reserve(file.fileno(), _bytes(shape))
        return np.memmap(file, dtype=_kind(shape), mode="w+", shape=shape)


def _kind(shape: tuple[int, ...]) -> type[np.float32] | type[np.float16]:
    return np.float32 if len(shape) == 3 else np.float16


def _bytes(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(_kind(shape)).itemsize
