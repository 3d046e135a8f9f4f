"""A run over handwritten digits with made-up verdicts: some labels are wrong, and most of those are flagged."""

from __future__ import annotations

import json
import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import uvicorn

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.data.sources import DEMO
from deft.reviewing.access import Access
from deft.reviewing.desk import Desk
from deft.reviewing.pictures import Pictures
from deft.reviewing.serve import listen
from deft.reviewing.server import create_app
from deft.runs.decisions import Decisions
from deft.runs.detection import Detection, Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.reviewed import load_before
from deft.runs.source import Source

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

COUNT = 200


def made_up(images: LabeledImages, *, unread: tuple[int, ...] = (), seed: int = 0) -> Detection:
    """Verdicts that know the truth, with some doubt: every row gets its own score.

    Args:
        images: Digits with `clean_labels`.
        unread: Rows that could not be judged.
        seed: Draws the scores.
    """
    assert images.clean_labels is not None
    rng = np.random.default_rng(seed)
    count, classes = len(images), len(images.classes)
    right = images.labels == images.clean_labels
    p_clean = np.where(right, rng.uniform(0.55, 1, count), rng.uniform(0, 0.45, count)).astype(np.float32)
    others = (images.clean_labels[:, None] + np.arange(1, 5)) % classes
    topk = np.concatenate([images.clean_labels[:, None], others], axis=1)
    probs = np.tile(np.array([0.7, 0.15, 0.08, 0.04, 0.01], np.float32), (count, 1))
    for row in unread:
        p_clean[row], topk[row], probs[row] = np.nan, -1, np.nan
    features = np.eye(classes)[images.clean_labels] + 0.1 * rng.normal(size=(count, classes))
    verdicts = Verdicts(
        p_clean,
        np.nan_to_num(p_clean) > 0.5,
        topk[:, 0].copy(),
        topk,
        probs,
        features=DiskRows.of(features.astype(np.float16)),
    )
    errors = dict.fromkeys(unread, "broken.png: not an image")
    return new_detection(images, verdicts, read_errors=errors, settings={"detector": "made up"}, info={})


@pytest.fixture(scope="session")
def images() -> LabeledImages:
    return digits()[0].keep(np.arange(COUNT))


@pytest.fixture(scope="session")
def found(images: LabeledImages) -> Detection:
    return made_up(images, unread=(7,))


@pytest.fixture
def run(found: Detection, tmp_path: Path) -> Path:
    """A run folder, as `deft detect` leaves it."""
    folder = tmp_path / "run"
    found.save(folder)
    Source(DEMO).save(folder)
    return folder


@pytest.fixture
def log(run: Path) -> Iterator[Decisions]:
    with Decisions(run) as opened:
        yield opened


@pytest.fixture
def desk(found: Detection, log: Decisions) -> Desk:
    return Desk(found, log, "Ada")


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, PHONE = (1280, 800), (390, 844)


class Server:
    """The page's server, in a thread of this process."""

    def __init__(self, run: Path, reviewer: str) -> None:
        self._addresses: queue.Queue[str] = queue.Queue()
        self._log = Decisions(run)
        self._socket = listen(0)
        found, images = open_run(run)
        desk = Desk(found, self._log, reviewer, load_before(run))
        access = Access(self._socket.getsockname()[1], self._addresses.put)
        config = uvicorn.Config(create_app(desk, Pictures(images), access), log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=[[self._socket]])
        self._thread.start()

    def address(self) -> str:
        """The next address that opens the page in a browser."""
        return self._addresses.get(timeout=10)

    def stop(self) -> None:
        """Stop it; may be called twice."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()
        self._log.close()


class Seat:
    """Somebody at the page, with a browser of their own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.key = page.keyboard.press

    def shown(self) -> str:
        """File name of the image on the screen; digits are called by their sample_id."""
        return self.page.locator("figcaption").inner_text()

    def press(self, *keys: str) -> None:
        """Press keys, and wait until another image is on the screen."""
        before = self.shown()
        for key in keys:
            self.key(key)
        self.page.wait_for_selector(f"figcaption bdi:not(:text-is({json.dumps(before)})), .nothing")

    def wait_for_image(self, name: str) -> None:
        """Wait until an image is on the screen."""
        self.page.wait_for_selector(f"figcaption bdi:text-is({json.dumps(name)})")

    def width(self) -> int:
        """How wide the page is, in pixels."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


class Room:
    """Servers and browsers of a test; no error may turn up on the console of any of them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._servers: list[Server] = []
        self.wrong: list[str] = []

    def serve(self, run: Path, reviewer: str = "Ada") -> Server:
        """Start `deft review`."""
        self._servers.append(Server(run, reviewer))
        return self._servers[-1]

    def sit(self, server: Server, size: tuple[int, int] = WIDE, scheme: Literal["light", "dark"] = "light") -> Seat:
        """Open the page."""
        context = self._browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.goto(server.address())
        page.locator(".single, .nothing").first.wait_for()
        return Seat(page)

    def close(self) -> None:
        """Stop everything."""
        for context in self._contexts:
            context.close()
        for server in self._servers:
            server.stop()


@pytest.fixture(scope="module")  # and no wider: two of Playwright's loops can't be open at once
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium to open the page in")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def room(browser: Browser) -> Iterator[Room]:
    made = Room(browser)
    yield made
    made.close()
    assert made.wrong == []
