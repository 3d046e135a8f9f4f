"""Arrays out of pickles that other people made, without running anything that the pickle names."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deft.errors import DataError

_NUMPY = {"_reconstruct", "scalar", "_frombuffer"}
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    StopIteration,
)
_LEGACY_HEADERS = 3  # pickles before the object in torch's old format: magic number, protocol, system


class _ArraysOnly(pickle.Unpickler):
    """Builds plain containers and NumPy arrays; whatever else a pickle asks for is refused by name."""

    def find_class(self, module: str, name: str) -> Any:
        root = module.partition(".")[0]
        if root == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if root == "numpy" and name in _NUMPY:
            return _numpy_function(name)
        if (module, name) == ("_codecs", "encode"):  # how Python 2's bytes are written
            return lambda text, encoding: text.encode(encoding)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise DataError(f"asks for {module}.{name}, which is no array")


def _numpy_function(name: str) -> Callable[..., Any]:
    home = np.core if np.lib.NumpyVersion(np.__version__) < "2.0.0" else np._core  # type: ignore[attr-defined]
    where = home.numeric if name == "_frombuffer" else home.multiarray
    function: Callable[..., Any] = getattr(where, name)
    return function


def read_arrays(path: Path) -> Any:
    """Return what a pickle holds, if it is made of numbers, texts, lists, dictionaries and NumPy arrays.

    Reads plain pickles (CIFAR's batches), `.npy` files that hold an object, and torch's `.pt` files, old and new;
    no code that a file names is ever run.

    Args:
        path: The file.

    Raises:
        DataError: It can't be read, or holds something else.

    Example:
        >>> read_arrays(Path("CIFAR-10_human.pt")).keys()  # doctest: +SKIP
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    try:
        return _read(data)
    except DataError as error:
        raise DataError(f"{path} {error}; it isn't read, since pickles can run anything.") from error
    except _DAMAGE as error:
        raise DataError(f"{path} is damaged, or no pickle of arrays.") from error


def _read(data: bytes) -> Any:
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            return _load(io.BytesIO(archive.read(inner)))
    stream = io.BytesIO(data)
    if data.startswith(b"\x93NUMPY"):
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(stream)
        if not dtype.hasobject:
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
    first = _load(stream)
    if isinstance(first, int):  # torch's old format begins with a number
        for _ in range(_LEGACY_HEADERS - 1):
            _load(stream)
        return _load(stream)
    return first.item() if isinstance(first, np.ndarray) and first.ndim == 0 else first


def _load(stream: io.BytesIO) -> Any:
    return _ArraysOnly(stream, encoding="latin1").load()
