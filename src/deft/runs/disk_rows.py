"""An array with a row for each image, too large to be held: it lies on the disk and is read where it is asked for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deft.errors import DataError
from deft.files import reserve
from deft.manifest import check, replace_sealed
from deft.shown import short_repr

AT_ONCE = 4096  # rows that are copied at a time


@dataclass(frozen=True, eq=False)
class DiskRows:
    """Rows of an array on the disk, in an order of their own.

    Args:
        values: Memory-mapped or in memory, (M, ...).
        rows: Its row of each image, int64 (N,).

    Example:
        >>> DiskRows.of(np.eye(3))[np.array([2, 0])].array()
        array([[0., 0., 1.],
               [1., 0., 0.]])
    """

    values: np.ndarray
    rows: np.ndarray

    __repr__ = short_repr

    @classmethod
    def of(cls, values: np.ndarray) -> DiskRows:
        """Return the rows of an array in its own order, (N, ...)."""
        return cls(values, np.arange(len(values)))

    @classmethod
    def reserve(cls, shape: tuple[int, ...], folder: Path | None = None) -> DiskRows:
        """Return rows of NaN in float16 in a file without a name, whose space is free again when they are gone.

        Args:
            shape: (N, ...).
            folder: Where the disk space is taken; None for the system's.
        """
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), int(np.prod(shape)) * np.dtype(np.float16).itemsize)
            values = np.memmap(file, dtype=np.float16, mode="w+", shape=shape)
        values[:] = np.nan
        return cls.of(values)

    @classmethod
    def load(cls, path: Path, count: int) -> DiskRows | None:
        """Return what `save` wrote, mapped; None where there is no such file.

        Args:
            path: Of the file.
            count: How many rows it must have.

        Raises:
            DataError: It is damaged, or has another number of rows.
        """
        if not path.is_file():
            return None
        check(path, hint="Delete it to do without.")
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read: {error}. Delete it to do without.") from error
        if len(values) != count:
            raise DataError(f"{path} has {len(values)} rows, the run {count} images. Delete it to do without.")
        return cls.of(values)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, order: np.ndarray) -> DiskRows:
        return DiskRows(self.values, self.rows[order])

    def lies_at(self, path: Path) -> bool:
        """Return whether these rows are those of a file, in its order.

        Args:
            path: Of the file.
        """
        file = getattr(self.values, "filename", None)
        return file is not None and Path(file) == path.absolute() and self.array() is self.values

    def take(self, chosen: np.ndarray) -> np.ndarray:
        """Return some rows as float32, (n, ...).

        Args:
            chosen: Their numbers, (n,).
        """
        places = self.rows[chosen]
        in_order = len(places) > 1 and bool((np.diff(places) == 1).all())
        found = self.values[places[0] : places[-1] + 1] if in_order else self.values[places]  # a slice isn't copied
        return np.asarray(found, np.float32)

    def array(self) -> np.ndarray:
        """Return all rows; still on the disk where they lie there in order, else copied into memory."""
        if np.array_equal(self.rows, np.arange(len(self.values))):
            return self.values
        copied: np.ndarray = self.values[self.rows]
        return copied

    def save(self, path: Path) -> None:
        """Write the rows in their order as `.npy`, piece by piece.

        Args:
            path: Of the file; an older one is replaced.
        """
        shape = (len(self.rows), *self.values.shape[1:])
        with replace_sealed(path) as temporary:
            written = np.lib.format.open_memmap(temporary, mode="w+", dtype=self.values.dtype, shape=shape)
            for start in range(0, len(self.rows), AT_ONCE):
                written[start : start + AT_ONCE] = self.values[self.rows[start : start + AT_ONCE]]
            written.flush()
            del written


def kept_rows(rows: DiskRows | None, what: str) -> np.ndarray:
    """Return all rows that a run kept.

    Args:
        rows: None where it kept none.
        what: What they are called, for the error.

    Raises:
        DataError: It kept none.
    """
    if rows is None:
        raise DataError(
            f"This run kept no {what}: an older version made it, {what}.npy was deleted, or there were too many "
            "numbers to keep."
        )
    return rows.array()
