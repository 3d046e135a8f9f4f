"""Training as TensorBoard shows it: what training measures, in event files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from deft.arguments import checked
from deft.errors import SettingsError
from deft.progress import Progress, Silent

T = TypeVar("T")


class TensorBoard(Progress):
    """Writes losses, learning rates and validation scores for TensorBoard, beside another display of progress.

    The files are written by `torch.utils.tensorboard`. A run that is resumed goes on in a file of its own.

    Args:
        folder: For event files; made when the first number is there.
        beside: Draws progress; nothing if not given.

    Raises:
        SettingsError: The package `tensorboard` isn't installed, or the folder is a file.

    Example:
        >>> with deft.TensorBoard("logs/", deft.ProgressBar()) as log:  # doctest: +SKIP
        ...     model = deft.adapt("tiny", images, workspace=deft.Workspace(progress=log))
    """

    @checked
    def __init__(self, folder: str | Path, beside: Progress | None = None) -> None:
        if find_spec("tensorboard") is None:
            raise SettingsError(
                "Writing for TensorBoard needs the package tensorboard: pip install 'deft-labels[tensorboard]'."
            )
        self._folder = Path(folder).expanduser()
        if self._folder.exists() and not self._folder.is_dir():
            raise SettingsError(f"{self._folder} is a file; TensorBoard needs a folder.")
        self._beside = Silent() if beside is None else beside
        self._writer: Any = None

    def __enter__(self) -> TensorBoard:
        self._beside.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._beside.__exit__(kind, error, at)

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        return self._beside.track(steps, task, total=total)

    def note(self, text: str) -> None:
        self._beside.note(text)

    def expect(self, shares: Mapping[str, float]) -> None:
        self._beside.expect(shares)

    def measure(self, name: str, value: float, step: int) -> None:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        self._writer.add_scalar(name, value, step)
        self._beside.measure(name, value, step)

    def close(self) -> None:
        """Write out what waits; more may follow, in another file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
