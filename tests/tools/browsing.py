"""Build galleries for a browser, and what tests of pages in a browser share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import web
from data_set import image_path
from PIL import Image
from scrapy_command import run_scrapy
from serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

Pixels = np.ndarray[Any, np.dtype[np.float64]]  # rows of columns of red, green and blue, 0 to 255
Visit = Callable[..., "Page"]

# The boxes of everything that can be clicked, without what scrolls sideways, and without tiles.
_BOXES = """() => {
  const all = "button:not([role]), input, select, summary, nav, [role=tablist], canvas, h1, #legend";
  const boxes = [...document.querySelectorAll(all)].filter((each) => each.checkVisibility()).map((each) => {
    const { left, top, right, bottom } = each.getBoundingClientRect();
    return { name: each.id || each.tagName, left, top, right, bottom };
  });
  return boxes.filter(({ left, right }) => right > left);
}"""


def cover_path(day: date) -> str:
    """Return the path of a cover of the replica below the folder of the data set."""
    return f"full/{image_path(Path(), day).name}"


def build_gallery(folder: Path) -> Path:
    """Build the gallery of a data set with the command, and return its page."""
    done = run_scrapy("gallery", "-s", f"FILES_STORE={folder}", cwd=folder.parent)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "gallery" / "index.html"


def opened(page: "Page") -> str:
    """Wait for the large view, and return the date of its record."""
    page.locator("dialog[open] #facts dd").first.wait_for()
    return page.locator("#facts dd").first.inner_text()


def settle(page: "Page") -> None:
    """Wait until the canvas is painted, and all images of it have come."""
    until(page, "!stage.painting && ![...stage.pictures.values()].includes(null)")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def canvas_pixels(page: "Page") -> Pixels:
    """Return the canvas as it is on the screen."""
    settle(page)
    picture = page.locator("#canvas").screenshot()
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB"), np.float64)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as a web server does, and return its URL."""
    app = web.Application()
    app.router.add_static("/", folder)
    with serving(app) as address:
        yield address


def until(page: "Page", condition: str, seconds: float = 30) -> None:
    """Wait until a JavaScript expression is true. Playwright's own way evaluates strings, which the page forbids."""
    end = monotonic() + seconds
    while not page.evaluate(condition):
        assert monotonic() < end, f"never true: {condition}"
        page.wait_for_timeout(20)


def overlaps(page: "Page") -> list[tuple[str, str]]:
    """Return the pairs of controls that cover each other, and controls that leave the window sideways."""
    boxes: list[dict[str, Any]] = page.evaluate(_BOXES)
    width = page.evaluate("innerWidth")
    found = [(box["name"], "window") for box in boxes if box["left"] < 0 or box["right"] > width + 0.5]
    for number, one in enumerate(boxes):
        found += [(one["name"], other["name"]) for other in boxes[number + 1 :] if _cover(one, other)]
    return found


def _cover(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 0.5 and down > 0.5
