"""Take the screenshot of the README: ``python tests/tools/gallery_image.py output/gallery/index.html``."""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image

GALLERY_IMAGE = Path(__file__).resolve().parent.parent.parent / ".github" / "gallery.jpg"
SIZE = (1280, 800)  # pixels


def browser() -> str | None:
    """Return the path of Chromium or Chrome, or None if neither is installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def screenshot(page: Path) -> bytes:
    """Return a screenshot of a gallery in light colours, as a PNG file."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only for this and the slow tests)

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        window = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        window.goto(page.resolve().as_uri())
        window.wait_for_selector("#canvas[aria-busy=false]")  # all images are painted
        image = window.screenshot()
        chromium.close()
    return image


if __name__ == "__main__":
    Image.open(BytesIO(screenshot(Path(sys.argv[1])))).convert("RGB").save(GALLERY_IMAGE, quality=80, optimize=True)
