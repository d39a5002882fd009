"""The regimes in which both projects are measured, in turns, so that a slow minute hits both."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from clients import (
    AS_SHIPPED,
    CRAWLERS,
    DOWNLOADERS,
    EQUAL_TO_THE_TUTORIAL,
    EXPORTS,
    OURS_CRAWLER,
    TUTORIAL_CRAWLER,
    UNVERIFIED_CRAWLER,
    Crawler,
    Downloader,
    urls,
)
from measure import Result, Server, count_covers, crawl, run

Results = dict[str, list[Result]]  # by client, in the order of the pairs

LATENCY = 0.05  # seconds
POLITE_IN_FLIGHT = 8  # requests for each host
STARTS = 7


@dataclass
class Measured:
    """All results, by regime."""

    issues: int
    engine: Results = field(default_factory=dict)
    polite: Results = field(default_factory=dict)
    recrawl: Results = field(default_factory=dict)
    verification: Results = field(default_factory=dict)
    start: Results = field(default_factory=dict)
    exports: dict[str, Results] = field(default_factory=dict)


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@contextmanager
def folders() -> Iterator[None]:
    """Make fresh_folder use a folder that is deleted when the context ends, and not before.

    After deleting thousands of files, a file system takes up to twenty times as long to make new ones.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        tempfile.tempdir = name
        try:
            yield
        finally:
            tempfile.tempdir = before


def fresh_folder() -> Path:
    return Path(tempfile.mkdtemp())


def _variables(crawler: Crawler, folder: Path, server: Server) -> dict[str, str]:
    return {**crawler.variables, "HOME": str(folder), "http_proxy": server.address}


def measured_crawl(
    label: str, crawler: Crawler, folder: Path, server: Server, more: Sequence[str] = (), **limits: float
) -> Result:
    """Run one crawl, and report it under a label. *more* are arguments for this project alone."""
    say(f"{label}, {crawler.name}: ")
    command = crawler.command(folder, *(() if crawler is TUTORIAL_CRAWLER else more))
    result = crawl(command, folder, _variables(crawler, folder, server), server, **limits)
    result.covers = count_covers(folder)
    say(f"{result.wall:.1f} s, {result.covers:,} covers, exit status {result.status}\n")
    return result


def warm_up(server: Server) -> None:
    """Run one crawl of each project that does not count, to fill the caches of the disk and of the server."""
    for crawler in CRAWLERS:
        folder = fresh_folder()
        measured_crawl("warm-up", crawler, folder, server, EQUAL_TO_THE_TUTORIAL)


def measure_engine(measured: Measured, server: Server, pairs: int, again: bool) -> None:
    """Crawl without latency, with the same number of requests in flight; if *again*, crawl twice in each folder."""
    for pair in range(pairs):
        for crawler in CRAWLERS:
            folder = fresh_folder()
            label = f"engine, pair {pair + 1} of {pairs}"
            result = measured_crawl(label, crawler, folder, server, EQUAL_TO_THE_TUTORIAL)
            measured.engine.setdefault(crawler.name, []).append(result)
            if again:
                label = f"recrawl, pair {pair + 1} of {pairs}"
                result = measured_crawl(label, crawler, folder, server, EQUAL_TO_THE_TUTORIAL)
                measured.recrawl.setdefault(crawler.name, []).append(result)


def measure_polite(measured: Measured, server: Server, pairs: int) -> None:
    """Crawl a distant server that answers at most eight requests of each host at a time."""
    for pair in range(pairs):
        for crawler in CRAWLERS:
            folder = fresh_folder()
            label = f"polite, pair {pair + 1} of {pairs}"
            limits = {"latency": LATENCY, "in_flight": POLITE_IN_FLIGHT}
            result = measured_crawl(label, crawler, folder, server, AS_SHIPPED, **limits)
            measured.polite.setdefault(crawler.name, []).append(result)


def measure_verification(measured: Measured, server: Server, pairs: int) -> None:
    """Crawl as in the engine's regime, with this project alone, with and without decoding images."""
    for pair in range(pairs):
        for crawler in (UNVERIFIED_CRAWLER, OURS_CRAWLER):
            label = f"verification, pair {pair + 1} of {pairs}"
            result = measured_crawl(label, crawler, fresh_folder(), server, EQUAL_TO_THE_TUTORIAL)
            measured.verification.setdefault(crawler.name, []).append(result)


def measure_start(measured: Measured) -> None:
    """Run ``--help``, which shows how long the command takes to start. The first run of each project is a warm-up."""
    for number in range(STARTS + 1):
        for crawler in CRAWLERS:
            folder = fresh_folder()
            result = run(crawler.help_command(), folder, {**crawler.variables, "HOME": str(folder)})
            say(f"start, {number} of {STARTS}, {crawler.name}: {result.wall:.2f} s\n")
            if number:
                measured.start.setdefault(crawler.name, []).append(result)


def measure_exports(measured: Measured, regimes: Sequence[str], server: Server, pairs: int) -> None:
    """Run what makes something of a data set, after one crawl. The first run of each client is a warm-up."""
    if missing := [name for name in ("cv2", "pyarrow") if not find_spec(name)]:
        say(f"{', '.join(regimes)}: left out, because {missing[0]} of tests/requirements-slow.txt is not installed\n")
        return
    folder = fresh_folder()
    measured_crawl("exports", OURS_CRAWLER, folder, server, EQUAL_TO_THE_TUTORIAL)
    for regime in regimes:
        for pair in range(pairs + 1):
            for name, command, deleted in EXPORTS[regime]:
                if deleted:
                    shutil.rmtree(folder / deleted, ignore_errors=True)
                result = run(command, folder, {**OURS_CRAWLER.variables, "HOME": str(folder)})
                say(f"{regime}, pair {pair} of {pairs}, {name}: {result.wall:.1f} s, exit status {result.status}\n")
                if pair:
                    measured.exports.setdefault(regime, {}).setdefault(name, []).append(result)


def measure_downloaders(measured: Measured, server: Server, pairs: int) -> None:
    """Run each installed downloader on the list of all URLs."""
    installed = [downloader for downloader in DOWNLOADERS if downloader.installed]
    all_urls = urls(measured.issues) if installed else []
    for number in range(pairs):
        for downloader in installed:
            say(f"downloaders, {number + 1} of {pairs}, {downloader.name}: ")
            result = _download(downloader, all_urls, server)
            measured.engine.setdefault(downloader.name, []).append(result)
            say(f"{result.wall:.1f} s, {result.covers:,} covers, exit status {result.status}\n")


def _download(downloader: Downloader, urls: Sequence[str], server: Server) -> Result:
    folder = fresh_folder()
    downloader.prepare(folder, urls)
    command = downloader.command(folder, server.address)
    result = crawl(command, folder, {"HOME": str(folder)}, server)
    result.covers = sum(1 for file in (folder / "files").iterdir() if file.suffix == ".jpg")
    return result
