"""What robots.txt forbids is not requested, not even once."""

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from components import FakeEngine, make_crawler
from data_set import records
from mock_archive import DAYS, MockArchive, redirect
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadFailedError, IgnoreRequest
from scrapy.http import Request, Response
from scrapy_command import last_line
from serving import Handler

from timecoverspider.downloadermiddlewares.robotstxt import StrictRobotsTxtMiddleware
from timecoverspider.replica.pages import cover_url, image_url

URL, ROBOTS = "http://content.time.com/a", "http://content.time.com/robots.txt"
FORBIDDEN = b"User-agent: *\nDisallow: /"


@pytest.fixture
def crawler() -> Iterator[Crawler]:
    with make_crawler() as crawler:
        yield crawler


def is_allowed(crawler: Crawler, answer: Response | Exception, *urls: str) -> list[bool]:
    """Return which of the URLs may be requested; they are checked at the same time, and robots.txt is late."""
    crawler.engine = engine = FakeEngine([answer])  # type: ignore[assignment]
    middleware = StrictRobotsTxtMiddleware(crawler)

    async def check() -> list[bool]:
        checks = [middleware.process_request(Request(url)) for url in urls or [URL]]
        results = await asyncio.gather(*checks, return_exceptions=True)
        assert all(result is None or isinstance(result, IgnoreRequest) for result in results)
        return [result is None for result in results]

    allowed = asyncio.run(check())
    assert [request.url for request in engine.requests] == [ROBOTS]
    assert engine.requests[0].meta["dont_obey_robotstxt"]  # else it would wait for itself
    return allowed


def test_forbidden_path_is_refused_and_the_rest_is_not(crawler: Crawler) -> None:
    rules = Response(ROBOTS, body=b"User-agent: *\nDisallow: /time/")
    allowed = is_allowed(crawler, rules, URL, "http://content.time.com/time/", "http://content.time.com/timeless")
    assert allowed == [True, False, True]
    assert crawler.stats.get_value("robotstxt/forbidden") == 1


def test_every_request_that_waits_for_robots_txt_is_checked(crawler: Crawler) -> None:
    assert is_allowed(crawler, Response(ROBOTS, body=FORBIDDEN), *[URL] * 5) == [False] * 5


@pytest.mark.parametrize("status", [400, 404, 410, 418, 451, 301])
def test_robots_txt_that_is_not_there_allows_everything(crawler: Crawler, status: int) -> None:
    assert is_allowed(crawler, Response(ROBOTS, status)) == [True]


@pytest.mark.parametrize(
    "answer",
    [
        Response(ROBOTS, 401),
        Response(ROBOTS, 403, body=b"User-agent: *\nAllow: /"),
        Response(ROBOTS, 429),
        Response(ROBOTS, 500),
        Response(ROBOTS, 503, body=b"User-agent: *"),
        DownloadFailedError("cut"),
        ValueError("URL"),
    ],
)
def test_robots_txt_that_cannot_be_read_forbids_everything(crawler: Crawler, answer: Response | Exception) -> None:
    assert is_allowed(crawler, answer, *[URL] * 3) == [False] * 3


@pytest.mark.parametrize(("before", "is_read"), [(0, True), (499 * 1024, True), (500 * 1024, False)])
def test_rules_within_the_first_500_kib_count(crawler: Crawler, before: int, is_read: bool) -> None:
    body = b"#" * before + b"\n" + FORBIDDEN + b"\n" + b"#\n" * 1_000_000
    assert is_allowed(crawler, Response(ROBOTS, body=body)) == [not is_read]


def test_robots_txt_itself_needs_no_robots_txt(crawler: Crawler) -> None:
    crawler.engine = engine = FakeEngine()  # type: ignore[assignment]
    request = Request(ROBOTS, meta={"dont_obey_robotstxt": True})
    asyncio.run(StrictRobotsTxtMiddleware(crawler).process_request(request))
    assert not engine.requests


@pytest.mark.parametrize("host", ["content.time.com", "img.timeinc.net"])
def test_forbidden_host_gets_no_request_from_a_crawl(tmp_path: Path, host: str) -> None:
    archive = MockArchive(DAYS[:20], latency=0.02)
    archive.answers[f"http://{host}/robots.txt"] = FORBIDDEN.decode()
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert "Forbidden by robots.txt" in last_line(done)
    assert not archive.requests_to(host)


def test_forbidden_cover_is_missing_and_the_rest_is_stored(tmp_path: Path) -> None:
    archive, days = MockArchive(DAYS[:20]), DAYS[:20]
    path = cover_url(days[2]).removeprefix("http://content.time.com")
    archive.answers[ROBOTS] = f"User-agent: *\nDisallow: {path}\n"
    archive.answers["http://img.timeinc.net/robots.txt"] = 404
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert sorted(archive.requests_to("content.time.com")) == sorted(cover_url(day) for day in days if day != days[2])
    assert image_url(days[3]) in archive.requests
    assert len(records(tmp_path)) == 19


async def _cut(request: web.Request) -> web.StreamResponse:
    body = gzip.compress(b"User-agent: *\nDisallow: /time/covers/\n")
    return web.Response(body=body[:-12], headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "answer", [401, 403, 429, 503, _cut, redirect("http://elsewhere.example/robots.txt"), redirect("http://[")]
)
def test_host_whose_robots_txt_cannot_be_read_gets_no_request_from_a_crawl(
    tmp_path: Path, answer: int | Handler
) -> None:
    archive = MockArchive(DAYS[:5])
    archive.answers[ROBOTS] = answer
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines() if ROBOTS in line and "/covers/" not in line]
    assert len(lines) == 1, lines
    assert not archive.requests_to("content.time.com")
    assert "Traceback" not in done.stderr
