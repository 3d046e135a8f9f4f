"""Where and how a run works."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from deft.arguments import checked
from deft.data.images import LabeledImages
from deft.errors import SettingsError
from deft.progress import Progress, Silent
from deft.runs.lock import only_writer
from deft.shown import short_repr
from deft.training.checkpoint import Checkpoint, encoder_fingerprint
from deft.training.processes import Processes

CHECKPOINT = "checkpoint.safetensors"


@checked
@dataclass(frozen=True)
class Workspace:
    """Where a run works and with how many processes; nothing in it changes a verdict.

    Args:
        folder: Keeps decoded pixels and checkpoints; None takes a temporary folder.
        resume: Whether to go on from a checkpoint in the folder.
        workers: Processes that decode images; None takes one per core.
        progress: Told how far the work has come.
        keep_features: Whether what a frozen model sees in the images stays in the folder, for other runs on them.
        earlier: Folder of an earlier run over the same images: what it kept of their features isn't computed again.
        processes: Those that share the work; all of them work in the same folder.
        kept_bytes: Largest size of what a model's frozen part gives and is kept on the disk between epochs (`VPT` of
            some layers, and whatever leaves the stem of `tiny` alone); None for half of what is free there. Of images
            beyond that it is computed anew. Features of one vector per image are small, and always kept.

    Raises:
        SettingsError: `kept_bytes` is less than nothing.

    Example:
        >>> found = detector.detect(images, workspace=Workspace(Path("run/work"), resume=True))  # doctest: +SKIP
    """

    folder: Path | None = None
    resume: bool = False
    workers: int | None = None
    progress: Progress = field(default_factory=Silent)
    keep_features: bool = False
    earlier: Path | None = None
    processes: Processes = field(default_factory=Processes)
    kept_bytes: int | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if self.kept_bytes is not None and self.kept_bytes < 0:
            raise SettingsError(f"What is kept on the disk can't be {self.kept_bytes} bytes at most.")

    def checkpoint(
        self, settings: Mapping[str, object], images: LabeledImages, encoder: nn.Module
    ) -> Checkpoint | None:
        """Return where a run is kept between epochs; None in a temporary folder, which nobody could resume from.

        Args:
            settings: All that determines the verdicts besides images and encoder.
            images: What is judged.
            encoder: The model, without any tuning on it.
        """
        if self.folder is None:
            return None
        belongs = [settings, images.fingerprint, images.label_fingerprint, encoder_fingerprint(encoder)]
        digest = hashlib.blake2b(json.dumps(belongs).encode(), digest_size=16).hexdigest()
        return Checkpoint(self.folder / CHECKPOINT, digest, self.resume)

    @contextlib.contextmanager
    def open(self) -> Iterator[Path]:
        """Yield the folder to work in, which no other process may write into; a temporary one is gone afterwards."""
        if not self.processes.writes:
            yield Path(self.processes.tell(None))
            return
        with contextlib.ExitStack() as opened:
            if self.folder is not None:
                opened.enter_context(only_writer(folder := self.folder))
            else:
                folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="deft-")))
            self.processes.tell(str(folder.absolute()))
            yield folder
