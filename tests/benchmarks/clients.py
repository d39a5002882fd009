"""The clients that are measured: the tutorial's project, this project, and downloaders for comparison."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from measure import HERE, PROJECT, environment, python

TUTORIAL, OURS, UNVERIFIED, FOLLOW_UP = "tutorial", "this project", "without decoding", "follow-up"
PYARROW, FIRST_BUILD, NEXT_BUILD = "pyarrow alone", "first build", "next build"
IN_FLIGHT = 16  # Scrapy's default, and so the tutorial's
SPIDER = "pyimagesearch-cover-spider"

_SCRAPY = [sys.executable, "-m", "scrapy"]


@dataclass(frozen=True)
class Crawler:
    """A Scrapy project, and how to run it in a folder."""

    name: str
    variables: dict[str, str]
    arguments: Callable[[Path], list[str]] = field(default=lambda folder: [])

    def command(self, folder: Path, *more: str) -> list[str]:
        crawl = ["crawl", SPIDER, "-o", "output.json"]
        return [*_SCRAPY, *crawl, *self.arguments(folder), *more]

    def help_command(self) -> list[str]:
        return [*_SCRAPY, "crawl", "--help"]


def _settings(**values: object) -> list[str]:
    return [part for name, value in values.items() for part in ("-s", f"{name}={value}")]


def _ours(folder: Path) -> list[str]:
    # "live" obeys http_proxy. Its delays are turned off, because the server is a replica.
    return _settings(ARCHIVE="live", DOWNLOAD_DELAY=0, AUTOTHROTTLE_ENABLED=False, FILES_STORE=folder / "output")


TUTORIAL_CRAWLER = Crawler(
    TUTORIAL,
    {"PYTHONPATH": str(PROJECT / "tests" / "tools" / "tutorial"), "SCRAPY_SETTINGS_MODULE": "tutorial.settings"},
)
OURS_CRAWLER = Crawler(OURS, {"PYTHONPATH": str(PROJECT), "SCRAPY_SETTINGS_MODULE": "timecoverspider.settings"}, _ours)
CRAWLERS = (TUTORIAL_CRAWLER, OURS_CRAWLER)
UNVERIFIED_CRAWLER = Crawler(
    UNVERIFIED,
    {**OURS_CRAWLER.variables, "PYTHONPATH": f"{PROJECT}:{HERE}"},
    lambda folder: [*_ours(folder), *_settings(ITEM_PIPELINES='{"unverified.UnverifiedPipeline": 1}')],
)

_STORE = _settings(FILES_STORE="output")
# By regime, what is made of a data set: the client's name, its command, and what is deleted before.
EXPORTS: dict[str, list[tuple[str, list[str], str]]] = {
    "averages": [
        (FOLLOW_UP, [sys.executable, str(PROJECT / "tests" / "tools" / "tutorial" / "averages.py"), "."], ""),
        (OURS, [*_SCRAPY, "averages", *_STORE, "--out", "averages"], ""),
    ],
    "gallery": [
        (FIRST_BUILD, [*_SCRAPY, "gallery", *_STORE], "output/gallery"),
        (NEXT_BUILD, [*_SCRAPY, "gallery", *_STORE], ""),
    ],
    "parquet": [
        (PYARROW, python("plain_parquet.py", "plain.parquet"), ""),
        (OURS, [*_SCRAPY, "export", "parquet", *_STORE, "--out", "parquet"], "parquet"),
    ],
}

# This project's settings for the number of requests in flight.
EQUAL_TO_THE_TUTORIAL = _settings(CONCURRENT_REQUESTS=IN_FLIGHT, CONCURRENT_REQUESTS_PER_DOMAIN=IN_FLIGHT)
AS_SHIPPED = _settings(CONCURRENT_REQUESTS_PER_DOMAIN=8)  # as with the replica; "live" lowers it to 2


def urls(issues: int) -> list[str]:
    """Return all URLs of the archive, from a process of its own, so that this one stays small."""
    command = python("archive.py", "--list", "--issues", str(issues))
    variables = environment(PYTHONPATH=str(PROJECT))
    return subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def _curl(folder: Path, proxy: str) -> list[str]:
    limits = ["--parallel", "--parallel-immediate", "--parallel-max", str(IN_FLIGHT)]
    return ["curl", "--disable", "--silent", "--fail", *limits, "--proxy", proxy, "--config", str(folder / "list")]


def _aria2(folder: Path, proxy: str) -> list[str]:
    return [
        *("aria2c", "--no-conf", "--quiet", "--file-allocation=none", f"--max-concurrent-downloads={IN_FLIGHT}"),
        *(f"--http-proxy={proxy}", "--input-file", str(folder / "list")),
    ]


def _wget2(folder: Path, proxy: str) -> list[str]:
    limits = [f"--max-threads={IN_FLIGHT}", f"--http-proxy={proxy}"]
    return [
        "wget2",
        "--no-config",
        "--quiet",
        *limits,
        "--directory-prefix=files",
        "--input-file",
        str(folder / "list"),
    ]


@dataclass(frozen=True)
class Downloader:
    """A program that downloads a list of URLs, and the format of that list."""

    program: str
    name: str
    command: Callable[[Path, str], list[str]]
    line: str

    @property
    def installed(self) -> bool:
        return shutil.which(self.program) is not None

    def prepare(self, folder: Path, urls: Iterable[str]) -> None:
        """Write the list. The name of an image's file ends in .jpg, whatever the program."""
        (folder / "files").mkdir()
        with (folder / "list").open("w") as file:
            for number, url in enumerate(urls):
                name = f"files/{number}{'.jpg' if url.endswith('.jpg') else '.html'}"
                file.write(self.line.format(url=url, name=name))


DOWNLOADERS = (
    Downloader("curl", "curl --parallel", _curl, 'url = "{url}"\noutput = "{name}"\n'),
    Downloader("aria2c", "aria2c", _aria2, "{url}\n  out={name}\n"),
    Downloader("wget2", "wget2", _wget2, "{url}\n"),
)
