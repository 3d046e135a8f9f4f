"""Makes docs/pictures/review.png: the review page over scikit-learn's handwritten digits. Needs Chromium.

python scripts/picture_review.py
"""

from __future__ import annotations

import io
import queue
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from deft.data.digits import digits
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder
from deft.reviewing.access import Access
from deft.reviewing.desk import Desk
from deft.reviewing.pictures import Pictures
from deft.reviewing.serve import listen
from deft.reviewing.server import create_app
from deft.runs.decisions import Decisions
from deft.tuning import Frozen

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "review.png"
LARGEST = 150_000  # bytes
COLOURS = 160
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def main() -> None:
    """Detect, serve, decide a little, and take two screenshots."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("There is no chromium to take pictures with.")
    images, _ = digits()
    found = DeFT.for_weak_model(load_encoder("tiny", device="cpu"), tuning=Frozen(), epochs=10, seed=0).detect(images)
    with tempfile.TemporaryDirectory() as folder, Decisions(folder) as log, sync_playwright() as playwright:
        addresses: queue.Queue[str] = queue.Queue()
        listening = listen(0)
        access = Access(listening.getsockname()[1], addresses.put)
        app = create_app(Desk(found, log, "you"), Pictures(images), access)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        try:
            save(screenshots(browser, addresses.get()))
        finally:
            browser.close()
            server.should_exit = server.force_exit = True
            thread.join()
            listening.close()


def screenshots(browser: Any, address: str) -> list[bytes]:
    """One image, and many that are alike."""
    page = browser.new_page(viewport={"width": 1120, "height": 600}, color_scheme="light")
    page.goto(address)
    page.locator(".single").wait_for()
    for number in range(23):
        page.keyboard.press("s" if number % 5 else "k")
        page.get_by_text(f"{number + 1} of").wait_for()
    page.wait_for_load_state("networkidle")
    page.mouse.move(0, 0)
    single = page.screenshot()
    page.keyboard.press("g")
    page.locator(".tile").first.wait_for()
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_load_state("networkidle")
    return [single, page.locator("main").screenshot()]


def save(parts: list[bytes]) -> None:
    """Write the screenshots below each other as one small file."""
    images = [Image.open(io.BytesIO(part)).convert("RGB") for part in parts]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)))
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    size = PICTURE.stat().st_size
    print(f"{PICTURE}: {size} bytes")
    if size > LARGEST:
        raise SystemExit(f"{PICTURE} has {size} bytes, more than {LARGEST}.")


if __name__ == "__main__":
    main()
