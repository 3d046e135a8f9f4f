"""What `deft score` takes per image, and where a large job ends: `python -m benchmarks.scoring [--images 3000]`.

Measured on one core: made photos (256 x 256 JPEG of smoothed noise, in a Parquet file), the bundled `tiny`, a detector
that has learned from 300 of them. Seconds are those of the processor. Printed: start-up (loading library, model and
detector), seconds per image, peak memory, bytes of the data and of the verdicts per image; where Ray is installed, the
same of one of its actors, and what the cluster's own processes take. Then a simulation: 1 000
workers share the parts of a job; the time of a part is log-normal, workers die and come back, and a part whose worker
died is done again. It prints by how much the job takes longer than the work divided by the workers, and how often a
part is noted more than once or not at all.
"""

from __future__ import annotations

import argparse
import functools
import heapq
import importlib.util
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.growth import measure
from benchmarks.scoring_ray import measure_ray

CLASSES, SIDE, LEARNED = 10, 256, 300


def make(place: Path, images: int) -> None:
    """Write photos, and a detector that has learned from the first of them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    import deft

    rng = np.random.default_rng(0)
    labels, content = [], []
    for number in range(images):
        small = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        small[:, :, 0] = 25 * (number % CLASSES)
        file = io.BytesIO()
        Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "jpeg", quality=90)
        content.append(file.getvalue())
        labels.append(f"kind {number % CLASSES}")
    for name, count in (("all", images), ("some", LEARNED)):
        pq.write_table(pa.table({"image": content[:count], "label": labels[:count]}), place / f"{name}.parquet")
    encoder = deft.load_encoder("tiny", device="cpu")
    images_of = deft.load_images(place / "some.parquet")
    trained, _ = deft.DeFT(encoder).train(images_of, workspace=deft.Workspace(workers=0))
    trained.save_pretrained(place / "detector")


def load(place: Path) -> None:
    """Load all that a worker loads before its first part."""
    import deft

    deft.TrainedDeFT.from_pretrained(place / "detector", device="cpu")


def score(place: Path, data: str, part_size: int, *, on_ray: bool = False) -> None:
    """Score a file, in this process or by one actor of a Ray cluster that is started for it."""
    from deft.engines.ray_data import RayEngine
    from deft.engines.score import score as run
    from deft.runs.source import Source

    output, engine = place / f"{'ray' if on_ray else 'scores'}-{data}", RayEngine(actors=1) if on_ray else None
    settings = {"device": "cpu", "workers": 0, "part_size": part_size, "engine": engine}
    run(Source(str(place / data)), output, place / "detector", **settings)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cluster:
    """A job on many workers.

    Args:
        workers: How many.
        parts: How many parts the data have.
        minutes: Median time of a part.
        spread: Standard deviation of its logarithm.
        lifetime: Mean minutes until a worker dies; a new one takes its place.
        restart: Minutes until the new one works.
    """

    workers: int = 1000
    parts: int = 20_000
    minutes: float = 5.0
    spread: float = 0.5
    lifetime: float = 600.0
    restart: float = 3.0


def simulate(cluster: Cluster, seed: int) -> tuple[float, int, dict[int, int]]:
    """Return the minutes that a job takes beyond the ideal, as a share, how many tries were lost, and notes by part."""
    rng = np.random.default_rng(seed)
    times = cluster.minutes * np.exp(rng.normal(0, cluster.spread, cluster.parts))
    waiting, lost = list(range(cluster.parts))[::-1], 0
    noted: dict[int, int] = {}
    free = [(0.0, worker) for worker in range(cluster.workers)]
    dies = rng.exponential(cluster.lifetime, cluster.workers)
    busy: list[tuple[float, int, int]] = []  # when, worker, part; −1 − part where the worker dies first
    clock = 0.0
    while waiting or busy:
        while waiting and free:
            start, worker = heapq.heappop(free)
            if start > clock and busy and busy[0][0] < start:
                heapq.heappush(free, (start, worker))
                break
            part = waiting.pop()
            start = max(start, clock)
            ends, dead = start + times[part], start + dies[worker]
            heapq.heappush(busy, (ends, worker, part) if ends <= dead else (dead, worker, -1 - part))
        clock, worker, part = heapq.heappop(busy)
        if part >= 0:
            noted[part] = noted.get(part, 0) + 1
            dies[worker] -= times[part]
            heapq.heappush(free, (clock, worker))
        else:
            lost += 1
            waiting.append(-1 - part)
            dies[worker] = rng.exponential(cluster.lifetime)
            heapq.heappush(free, (clock + cluster.restart, worker))
    ideal = float(times.sum()) / cluster.workers
    return clock / ideal - 1, lost, noted


def main() -> None:
    """Measure and simulate; print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000)
    given = parser.parse_args()
    for lifetime in (float("inf"), 600.0, 60.0):
        cluster = Cluster(lifetime=lifetime)
        longer, lost, noted = simulate(cluster, 0)
        told: dict[str, object] = {"mean minutes to death": str(lifetime), "longer": round(longer, 3), "lost": lost}
        told |= {"noted twice": sum(n > 1 for n in noted.values()), "missing": cluster.parts - len(noted)}
        sys.stdout.write(f"{json.dumps(told)}\n")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        measure(functools.partial(make, place, given.images), 10_000)
        started = measure(functools.partial(load, place), 10_000)
        few = measure(functools.partial(score, place, "some.parquet", 1000), 10_000)
        many = measure(functools.partial(score, place, "all.parquet", 1000), 10_000)
        assert started
        assert few
        assert many
        each = (many["seconds"] - few["seconds"]) / (given.images - LEARNED)
        sizes = (
            (place / "all.parquet").stat().st_size,
            sum(path.stat().st_size for path in (place / "scores-all.parquet" / "parts").iterdir()),
        )
        told = {"start s": started["seconds"], "CPU s per image": round(each, 5), "peak MB": many["mb"]}
        told |= {"data bytes": sizes[0] // given.images, "verdict bytes": sizes[1] // given.images}
        sys.stdout.write(f"{json.dumps(told)}\n")
        if importlib.util.find_spec("ray"):
            on_ray = functools.partial(score, place, part_size=1000, on_ray=True)
            sys.stdout.write(f"{json.dumps(measure_ray(on_ray, given.images, LEARNED))}\n")


if __name__ == "__main__":
    main()
