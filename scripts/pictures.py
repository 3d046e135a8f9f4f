"""Makes the pictures of README and docs from a run over scikit-learn's handwritten digits. Needs Chromium.

python scripts/pictures.py
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from deft.data.digits import digits
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder
from deft.report.build import build_report
from deft.tuning import VPT

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
LARGEST = 150_000  # bytes of a picture
COLOURS = 96
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def main() -> None:
    """Make all of them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("There is no chromium to take pictures with.")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        picture_report(browser, Path(name))
        browser.close()


def picture_report(browser: Any, folder: Path) -> None:
    """The top of a report and its drawings, one above the other."""
    images, _ = digits()
    encoder = load_encoder("tiny", device="cpu")
    found = DeFT.for_weak_model(encoder, tuning=VPT(length=20), epochs=10, seed=0).detect(images)
    build_report(images, found, name="handwritten digits, 30 % of the labels made wrong").write(folder / "report.html")
    page = browser.new_page(viewport={"width": 1120, "height": 870}, color_scheme="light")
    page.goto((folder / "report.html").as_uri())
    above = page.screenshot()
    drawings = page.locator("#budget .two")
    save([above, drawings.screenshot()], PICTURES / "report.png")


def save(parts: list[bytes], path: Path) -> None:
    """Write screenshots below each other as one small file."""
    images = [Image.open(io.BytesIO(part)).convert("RGB") for part in parts]
    widest = max(image.width for image in images)
    whole = Image.new("RGB", (widest, sum(image.height for image in images)), images[0].getpixel((0, 0)))
    top = 0
    for image in images:
        whole.paste(image, ((widest - image.width) // 2, top))
        top += image.height
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes, more than {LARGEST}.")


if __name__ == "__main__":
    main()
