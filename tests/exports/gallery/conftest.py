"""Fixtures: a real browser, and the galleries that it opens."""

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import Visit, build_gallery
from scrapy_command import SPIDER, run_scrapy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    item.stash[_failed] = report.failed
    return report


@pytest.fixture(scope="session")
def all_covers(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The page of the gallery of all 4,763 covers of the replica, made once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "all covers, 100% #1"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            store = f"FILES_STORE={folder / 'output'}"
            done = run_scrapy("crawl", SPIDER, "-o", "output.json", "-s", store, cwd=folder)
            assert done.returncode == 0, done.stderr
            build_gallery(folder / "output")
            (folder / "built").touch()
    return folder / "output" / "gallery" / "index.html"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium."""
    reason = "needs Playwright for Python and the program chromium"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    program = shutil.which("chromium")
    if not program:
        pytest.skip(reason)
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])  # root has no sandbox
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: "Browser", tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Opens a page in a new window.

    In the end, nothing must have been reported on the console, and nothing requested from elsewhere.
    """
    pages: list[Page] = []
    reported: list[str] = []

    def visit(url: str, *, width: int = 1280, height: int = 800, **options: Any) -> "Page":
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        pages.append(page)
        _watch(page, url, reported)
        page.goto(url)
        return page

    yield visit
    for number, page in enumerate(pages):
        if request.node.stash.get(_failed, False):
            page.screenshot(path=tmp_path / f"page-{number}.png")
        page.context.close()
    assert reported == []


def _watch(page: "Page", url: str, reported: list[str]) -> None:
    """Note what the console says, errors, dialogs, files that are missing, and requests to elsewhere."""
    here = (url.partition("#")[0].rpartition("/gallery/")[0], "data:", "blob:")

    def note(failure: Any) -> None:
        if failure.failure != "net::ERR_ABORTED":  # the page did not need the file any more
            reported.append(f"{failure.failure}: {failure.url}")

    page.on("console", lambda message: reported.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: reported.append(str(error)))
    page.on("dialog", lambda dialog: reported.append(f"dialog: {dialog.message}"))
    page.on("requestfailed", note)
    page.on("request", lambda sent: None if sent.url.startswith(here) else reported.append(sent.url))
