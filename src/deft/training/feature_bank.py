"""Outputs of the frozen part of an encoder, computed once per image and kept on disk."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
from deft.training.precision import autocast
from deft.training.processes import Processes
from deft.training.recomputed import Recomputed, as_kept

WHOLE = 16  # a CPU shares sums of fewer images among its threads, and another number of them rounds otherwise


class BankLoader(Loader):
    """Reads kept outputs; view 0 is the plain one, then come the weak and the strong ones.

    Close it, or use it in a `with` statement: its disk space is then free again.

    Args:
        views: Memory-mapped outputs, (V, N, ...).
        device: Where the batches go.
        strong: How many of the views, at the end, are strong ones.
        rest: The images that aren't among them; None if all are, each at the place of its row.
    """

    def __init__(
        self, views: np.ndarray, device: torch.device, *, strong: int = 0, rest: Recomputed | None = None
    ) -> None:
        self._views: np.ndarray | None = views
        self._device = device
        self._strong = strong
        self._rest = rest

    @property
    def views(self) -> np.ndarray:
        """The kept outputs, (V, N, ...)."""
        if self._views is None:
            raise ValueError("The kept outputs are closed.")
        return self._views

    @property
    def has_features(self) -> bool:
        """Whether what is kept is one vector per image."""
        return self.views.ndim == 3

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
        if self._rest is None:
            return torch.from_numpy(self.views[chosen, rows]).to(self._device).float()
        places = self._rest.place[rows]
        kept, missing = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        found = np.empty((len(rows), *self.views.shape[2:]), self.views.dtype)
        found[kept] = self.views[chosen[kept], places[kept]]
        if len(missing):
            found[missing] = self._rest.outputs(rows[missing], chosen[missing]).numpy()
        return torch.from_numpy(found).to(self._device).float()


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
    most: int | None = None,
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
        most: Bytes of tokens that are kept at most, None for half of what is free; those of the images beyond are
            computed anew whenever they are loaded, of the same views. Features are all kept.

    Returns:
        A loader for the same rows. Tokens are kept in float16, features (B, D) in float32.

    Raises:
        NotFinite: An output isn't.
    """
    path = None if name is None else folder / f"outputs-{name}.npy"
    if path is not None and path.is_file() and intact(path):
        return BankLoader(np.load(path, mmap_mode="r"), batches.device, strong=strong)
    frozen = _Frozen(encode, batches.device, precision)
    one = frozen.bare(batches.loader.load(batches.rows[:1], None)).shape[1:] if known is None else known.shape[1:]
    shape = (views + strong, len(batches.labels), *one)
    rest = _rest(frozen, batches, shape, batches.processes.tell(_room(folder, most) // (1 if path is None else 2)))
    if rest is not None:
        shape = (shape[0], rest.kept, *one)
        progress.note(_short(shape, len(batches.rows)))
    bank = _file(folder, shape, batches.processes)
    missing = batches.rows if known is None else _take(bank, known, batches)
    for view in range(shape[0]):
        task = "Encoding images" if shape[0] == 1 else f"Encoding images, view {view + 1}/{shape[0]}"
        chunks = _chunks(batches.rows if view else missing, batches.batch_size)
        if not chunks:
            continue
        kind: View = "weak" if view < views else "strong"
        for rows, inputs in _own(batches, progress.track(chunks, task, total=len(chunks)), view, kind, rest):
            _put(bank[view], rows, rows if rest is None else rest.place[rows], frozen(inputs))
    batches.processes.wait()
    if path is not None and rest is None and batches.processes.writes:
        with replace_sealed(path) as temporary, temporary.open("wb") as file:
            np.save(file, bank)  # beside the one without a name
    return BankLoader(bank, batches.device, strong=strong, rest=rest)


@dataclass(frozen=True)
class _Frozen:
    """A function that needs no gradient, in its number format; what it gives lies on the CPU in float32."""

    encode: Callable[[Tensor], Tensor]
    device: torch.device
    precision: torch.dtype

    def __call__(self, inputs: Tensor) -> Tensor:
        missing = -len(inputs) % WHOLE if self.device.type == "cpu" else 0
        filled = torch.cat([inputs, inputs[-1:].expand(missing, *inputs.shape[1:])]) if missing else inputs
        return self.bare(filled)[: len(inputs)]

    def bare(self, inputs: Tensor) -> Tensor:
        """Return outputs of these inputs alone, however few they are."""
        with torch.no_grad(), autocast(self.precision, self.device):
            return self.encode(inputs).float().cpu()


def _room(folder: Path, most: int | None) -> int:
    """Return how many bytes tokens may take: what was said, or half of what is free."""
    return shutil.disk_usage(folder).free // 2 if most is None else most


def _rest(frozen: _Frozen, batches: Batches, shape: tuple[int, ...], most: int) -> Recomputed | None:
    """Return the images whose outputs have no room; None if all have, or the outputs are features."""
    if _kind(shape) is np.float32 or _bytes(shape) <= most:
        return None
    chunks = _chunks(batches.rows, batches.batch_size)
    kept = most // _bytes((shape[0], batches.batch_size, *shape[2:]))
    return Recomputed(frozen, batches.loader, chunks, kept=min(kept, len(chunks)), rows=shape[1])


def _short(shape: tuple[int, ...], images: int) -> str:
    """Return what is said where the disk is short."""
    return (
        f"What stays as it is of the model's work is kept of {shape[1]} of {images} images, "
        f"in {_bytes(shape) / 1e9:.1f} GB on the disk; for the others it is done again in every epoch."
    )


def _take(bank: np.ndarray, known: np.ndarray, batches: Batches) -> Rows:
    """Put into the plain view what is known of it, and return the rows that are missing."""
    if batches.processes.writes:
        bank[0] = known
    batches.processes.wait()
    missing: Rows = batches.rows[np.isnan(known[batches.rows]).any(axis=1)]
    return missing


def _own(
    batches: Batches, chunks: Iterable[Rows], view: int, kind: View, rest: Recomputed | None
) -> Iterator[tuple[Rows, Tensor]]:
    """Yield the chunks that this process computes, with their inputs in a view: 0 is the plain one."""
    rng = np.random.default_rng([batches.seed, view]) if view else None
    for number, rows in enumerate(chunks):
        if rest is not None and number >= rest.first:
            if rng is not None:
                rest.pass_over(view, kind, number, rng)
            continue
        own = number % batches.processes.count == batches.processes.rank
        if own or rng is not None:  # views are drawn of all chunks, so that all processes draw the same numbers
            inputs = batches.loader.load(rows, rng, kind)
        if own:
            yield rows, inputs


def _put(view: np.ndarray, rows: Rows, places: np.ndarray, outputs: Tensor) -> None:
    """Keep the outputs of some rows, which must be finite in the form in which they are kept."""
    view[places] = as_kept(outputs, rows, half=view.dtype == np.float16).numpy()


def _chunks(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _file(folder: Path, shape: tuple[int, ...], processes: Processes) -> np.ndarray:
    """Return an array on the disk without a name; for several processes one, into which each writes its part."""
    if not _bytes(shape):
        return np.empty(shape, _kind(shape))
    if processes.count == 1:
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), _bytes(shape))
            return np.memmap(file, dtype=_kind(shape), mode="w+", shape=shape)
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


def _kind(shape: tuple[int, ...]) -> type[np.float32] | type[np.float16]:
    return np.float32 if len(shape) == 3 else np.float16


def _bytes(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(_kind(shape)).itemsize
