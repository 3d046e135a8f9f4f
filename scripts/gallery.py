"""Makes the pictures of README and docs: report and review page of the demo's run, wide and on a phone. Needs Chromium.

Command: python scripts/gallery.py
Result:  docs/pictures/{report,review,grid,report-phone,review-phone}.webp, in all less than 300 kB, or an error. All of
         it is drawn by deft, of the handwritten digits of scikit-learn that `deft demo` judges.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import deft
from deft.data.digits import digits
from deft.reviewing.notebook import Review

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
MOST_BYTES = 300_000  # of all pictures
QUALITY = 82
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
DECIDED = 12  # images, before the screenshots
SETTLES = 500  # milliseconds until what moves stands
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def main() -> None:
    """Detect, write the report, serve the review page, and take the pictures."""
    images, _ = digits()
    found = deft.DeFT(deft.load_encoder("tiny", device="cpu"), seed=0).detect(images)
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        report = Path(name, "report.html")
        deft.build_report(images, found, name="handwritten digits, 30 % of the labels made wrong").write(report)
        for size, picture in ((WIDE, "report"), (PHONE, "report-phone")):
            page = chromium.new_page(viewport=size, color_scheme="light")
            page.goto(report.as_uri())
            if size is PHONE:
                page.locator(".cards .card").first.evaluate("card => card.scrollIntoView()")
            save(page, picture)
        with deft.review(found, images, folder=Path(name, "run"), reviewer="you") as open_page:
            review(chromium, open_page)
    total = sum(path.stat().st_size for path in PICTURES.glob("*.webp"))
    print(f"{total} bytes in all")
    if total > MOST_BYTES:
        raise SystemExit(f"The pictures have {total} bytes, more than {MOST_BYTES}.")


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Start Chromium, and end it."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("There is no chromium to take pictures with.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        try:
            yield started
        finally:
            started.close()


def review(chromium: Any, opened: Review) -> None:
    """Take pictures of one image and of many on a wide screen, and of one on a phone."""
    page = sit(chromium, opened, WIDE)
    for number in range(DECIDED):
        page.keyboard.press("k" if number % 5 == 0 else "s")
        page.locator("#count", has_text=f"{number + 1} of").wait_for()
    save(page, "review")
    page.keyboard.press("g")
    page.locator(".tile").first.wait_for()
    for key in ("ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    save(page, "grid")
    save(sit(chromium, opened, PHONE), "review-phone")


def sit(chromium: Any, opened: Review, size: dict[str, int]) -> Any:
    """Open the review page in a browser of its own."""
    page = chromium.new_context(viewport=size, color_scheme="light").new_page()
    page.goto(opened.address)
    page.locator(".single").wait_for()
    return page


def save(page: Any, name: str) -> None:
    """Write what is on the screen, once all of its images are there."""
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLES)
    path = PICTURES / f"{name}.webp"
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.save(path, quality=QUALITY, method=6)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
