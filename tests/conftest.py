"""Real parts to test with: scrapy as a subprocess, the replica as a server on loopback."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from timecoverspider.replica.server import serve

PROJECT = Path(__file__).resolve().parent.parent
SPIDER = "pyimagesearch-cover-spider"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Serve = Callable[[web.Application], AbstractContextManager[str]]


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
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = serve(app)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
