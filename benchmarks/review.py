"""How fast the review page's server answers over 50 000 rows: every action, over HTTP, as a browser asks.

    python benchmarks/review.py
    python benchmarks/review.py --photos ../shared/data/cifar10n-train.parquet --label-column label_human

Verdicts are made up; half of the timings have 20 000 decisions in the log already. Without --photos the images are
noise of 32 x 32 in memory. Prints the median and the worst of each action in milliseconds, by the clock and of
the processor, of server and asker together, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import http.client
import json
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import uvicorn

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.reviewing.access import Access
from deft.reviewing.desk import Desk
from deft.reviewing.pictures import Pictures
from deft.reviewing.serve import listen, settled
from deft.reviewing.server import create_app
from deft.runs.decisions import Decisions
from deft.runs.detection import Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.judged import new_detection
from deft.runs.reasons import EXPLAINED

ROWS, CLASSES, TOP = 50_000, 100, 5
DECIDED, TIMES = 20_000, 30
WIDTH = 512  # of the features that evidence is found by: CLIP ViT-B/16's


def noise() -> LabeledImages:
    """Images in memory, 100 classes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (ROWS, 32, 32, 3), np.uint8)
    names = [f"class number {number}" for number in range(CLASSES)]
    return load_images(pixels, labels=rng.integers(0, CLASSES, ROWS), classes=names)


def desk(images: LabeledImages, log: Decisions) -> Desk:
    """Made-up verdicts, three in ten flagged."""
    rng = np.random.default_rng(1)
    count, classes = len(images), len(images.classes)
    p_clean = rng.uniform(0, 1, count).astype(np.float32) ** 0.58
    topk = rng.integers(0, classes, (count, TOP))
    probs = np.tile(np.array([0.6, 0.2, 0.1, 0.06, 0.04], np.float32), (count, 1))
    features = DiskRows.reserve((count, WIDTH))
    for start in range(0, count, 4096):
        part = features.values[start : start + 4096]
        part[:] = rng.normal(size=part.shape)
    verdicts = Verdicts(p_clean, p_clean > 0.5, topk[:, 0], topk, probs, features=features)
    return Desk(new_detection(images, verdicts, read_errors={}, settings={}, info={}), log, "Ada")


@dataclass
class Browser:
    """One connection with a session."""

    connection: http.client.HTTPConnection
    headers: dict[str, str]

    @classmethod
    def open(cls, address: str) -> Browser:
        """Exchange the token of an address."""
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.netloc)
        connection.request("GET", f"/?{place.query}")
        answer = connection.getresponse()
        answer.read()
        cookie = str(answer.headers["Set-Cookie"]).split(";")[0]
        headers = {"Cookie": cookie, "Origin": f"http://{place.netloc}", "Content-Type": "application/json"}
        return cls(connection, headers)

    def get(self, path: str, **values: object) -> bytes:
        """Ask."""
        return self._send("GET", f"{path}?{urlencode(values)}", None)

    def post(self, path: str, body: object) -> bytes:
        """Tell."""
        return self._send("POST", path, json.dumps(body))

    def _send(self, method: str, path: str, body: str | None) -> bytes:
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content[:200]!r}")
        return content


def actions(browser: Browser, made: Desk) -> dict[str, Callable[[int], object]]:
    """Everything that somebody can do, by name; each takes the number of the repetition."""
    found = made.found
    names = [found.sample_id[row] for row in np.random.default_rng(2).permutation(len(found))]

    def seen(count: int) -> list[list[object]]:
        chosen = [names.pop() for _ in range(count)]
        return [[item["id"], item["revision"]] for item in made.items(chosen)]

    todo = {count: [seen(count) for _ in range(TIMES)] for count in (1, 24, 200)}
    last: list[list[list[object]]] = []

    def decide(number: int, count: int) -> None:
        answer = browser.post("/api/decide", {"action": "keep", "samples": todo[count][number]})
        if count == 24:
            last.append([[item["id"], item["revision"]] for item in json.loads(answer)["items"]])

    page = {"limit": 60, "after": -1}
    order = np.argsort(found.p_clean)
    flagged = [found.sample_id[row] for row in order[:TIMES].tolist()]
    believed = [found.sample_id[row] for row in order[::-1][:TIMES].tolist()]
    return {
        "open the page (what it needs once)": lambda _: browser.get("/api/about"),
        "first page": lambda _: browser.get("/api/page", **page),
        "page in the middle": lambda n: browser.get("/api/page", limit=60, after=5_000 + 60 * n),
        "filter by pair": lambda n: browser.get(
            "/api/page", given=found.classes[n % 10], suggested=found.classes[(n + 1) % 10], **page
        ),
        "filter by score, all verdicts": lambda _: browser.get("/api/page", verdict="all", low=0.4, high=0.6, **page),
        "likeliest wrong first": lambda _: browser.get("/api/page", verdict="believed", order="likely", **page),
        "filter by status": lambda _: browser.get("/api/page", verdict="all", show="decided", **page),
        "search by name": lambda n: browser.get("/api/page", verdict="all", search=f"{n}7", order="name", **page),
        "decide about one image": lambda n: decide(n, 1),
        "decide about 24 images": lambda n: decide(n, 24),
        "undo 24 of them": lambda _: browser.post("/api/undo", {"samples": last.pop()}),
        "decide about 200 images": lambda n: decide(n, 200),
        "evidence, looked up before": lambda n: browser.get("/api/evidence", id=flagged[n]),
        "evidence, found when asked for": lambda n: browser.get("/api/evidence", id=believed[n]),
        "what is left": lambda _: browser.get("/api/ahead"),
        "image, large": lambda n: browser.get("/image", id=names[n], side=640),
        "image, tile": lambda n: browser.get("/image", id=names[n + 100], side=160),
    }


def measure(browser: Browser, made: Desk) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each action, by the clock and of the processor, TIMES of each."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for name, act in actions(browser, made).items():
        for number in range(TIMES):
            began, used = time.perf_counter(), time.process_time()
            act(number)
            lasted = 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - used)
            taken.setdefault(name, []).append(lasted)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", help="a table or folder of photos")
    parser.add_argument("--label-column")
    chosen = parser.parse_args()
    images = load_images(chosen.photos, label_column=chosen.label_column) if chosen.photos else noise()
    with tempfile.TemporaryDirectory() as folder, Decisions(Path(folder)) as log:
        made = desk(images, log)
        used = time.process_time()
        made.evidence(images.sample_id[0])  # what a run has in evidence.parquet
        lasted = time.process_time() - used
        print(f"neighbours of {EXPLAINED} suspects among {len(images)}: {lasted:.1f} s of a core", flush=True)
        addresses: queue.Queue[str] = queue.Queue()
        listening = listen(0)
        app = create_app(made, Pictures(images), Access(listening.getsockname()[1], addresses.put))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_keep_alive=600))
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        try:
            browser = Browser.open(addresses.get())
            with settled():
                fresh = measure(browser, made)
            for start in range(0, min(DECIDED, len(images)), 200):
                made.decide(
                    "skip", [(i["id"], i["revision"]) for i in made.items(images.sample_id[start : start + 200])]
                )
            with settled():
                full = measure(browser, made)
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
            listening.close()
    shown = f"milliseconds: median, worst of {2 * TIMES}; the same of the processor"
    print(f"{len(images)} rows, {len(images.classes)} classes; {shown}")
    for name, times in fresh.items():
        columns = [[one[place] for one in times + full[name]] for place in (0, 1)]
        print(f"{name:36}", *(f"{figure(one):7.1f}" for one in columns for figure in (statistics.median, max)))


if __name__ == "__main__":
    main()
