"""What `benchmarks.growth` measures, on made data: each action works in a folder that `make` has filled."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from deft.progress import Silent

T = TypeVar("T")
POSTERIOR_STEP = 1000
SIDE = 24


def make(place: Path, images: int, classes: int) -> None:
    """Write the data, and the model beside them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image
    from tests.conftest import save_clip

    rng = np.random.default_rng(0)
    labels = [f"kind {number % classes}" for number in range(images)]
    content = []
    for number in range(images):
        colour = 40 + 170 * (number % classes) // classes
        file = io.BytesIO()
        noise = rng.integers(colour - 40, colour + 40, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(noise).save(file, "png", compress_level=1)
        content.append(file.getvalue())
    pq.write_table(pa.table({"image": content, "label": labels}), place / "data.parquet", row_group_size=1000)
    save_clip(place / "model")


def read(place: Path) -> None:
    """List images and labels, and name their contents."""
    import deft

    assert deft.load_images(place / "data.parquet").content_id


def decode(place: Path) -> None:
    """Decode all images, in this process."""
    import deft
    from deft.data.image_spec import ImageSpec
    from deft.training.pixel_store import PixelStore

    half = (0.5, 0.5, 0.5)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        PixelStore.build(deft.load_images(place / "data.parquet"), ImageSpec(32, half, half), Path(folder), workers=0)


def detect(place: Path) -> None:
    """Run `deft detect` with its defaults, but for the report."""
    import deft

    images = deft.load_images(place / "data.parquet")
    detector = deft.DeFT(deft.load_encoder(str(place / "model"), device="cpu"))
    detector.detect(images, workspace=deft.Workspace(workers=0)).save(place / "run")


class Watch(Silent):
    """Looks at the processor's clock whenever a task begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        self.begun.append((task, time.process_time()))
        return iter(steps)

    def seconds(self, task: str) -> float:
        """Return the processor's time from a task's beginning to that of the next one."""
        (place,) = (number for number, (name, _) in enumerate(self.begun) if name == task)
        return self.begun[place + 1][1] - self.begun[place][1]


def vpt(place: Path) -> float:
    """Learn with visual prompts for two epochs, as in the paper; return the seconds of the second one."""
    import deft

    images, watch = deft.load_images(place / "data.parquet"), Watch()
    detector = replace(deft.DeFT.paper(deft.load_encoder(str(place / "model"), device="cpu")), epochs=2)
    detector.detect(images, workspace=deft.Workspace(workers=0, progress=watch))
    return watch.seconds("Training, epoch 2/2")


def posterior(place: Path) -> None:
    """Estimate how labels go wrong from the scores of all images."""
    import torch

    import deft

    images = deft.load_images(place / "data.parquet")
    labels = torch.from_numpy(images.labels)
    scores = torch.randn(len(images), len(images.classes), generator=torch.Generator().manual_seed(0))
    scores[torch.arange(len(labels)), labels] += 3
    found = deft.estimate_transition(scores, labels)
    for rows in torch.arange(len(labels)).split(POSTERIOR_STEP):
        found.posterior(scores[rows], labels[rows])


def report(place: Path) -> None:
    """Make the page of a run."""
    import deft

    found, images = deft.open_run(place / "run")
    deft.build_report(images, found, name="made").write(place / "report.html")


def review(place: Path) -> None:
    """Open a run for review, and make its first page."""
    import deft
    from deft.reviewing.desk import Desk
    from deft.reviewing.query import Query

    found, _ = deft.open_run(place / "run")
    with deft.Decisions(place / "run") as log:
        Desk(found, log, "somebody").page(Query(), after=0, limit=50)


def export(place: Path) -> None:
    """Write corrected labels as a table."""
    import deft

    deft.write_export(deft.plan_run(place / "run"), place / "exported", "parquet")


ACTIONS: Mapping[str, Callable[[Path], float | None]] = {
    "read": read,
    "decode": decode,
    "posterior": posterior,
    "detect": detect,
    "vpt": vpt,
    "report": report,
    "review": review,
    "export": export,
}


def load() -> None:
    """Load the library and what it loads, so that no action is charged with that."""
    import matplotlib.pyplot
    import torch
    import transformers.models.clip

    import deft
    from deft.reviewing import desk

    assert all((matplotlib.pyplot, transformers.models.clip, desk))
    for name in ("load_images", "DeFT", "build_report", "write_export", "load_encoder", "open_run", "Decisions"):
        getattr(deft, name)
    torch.set_num_threads(1)
