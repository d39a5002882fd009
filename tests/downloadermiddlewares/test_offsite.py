"""Only the spider's own hosts are requested, whatever a page or a redirect names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from components import make_crawler
from foreign_urls import FOREIGN_URLS
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

from timecoverspider.downloadermiddlewares.offsite import StrictOffsiteMiddleware


@pytest.fixture
def middleware(tmp_path: Path) -> Iterator[StrictOffsiteMiddleware]:
    with make_crawler(tmp_path) as crawler:
        yield StrictOffsiteMiddleware.from_crawler(crawler)


@pytest.mark.parametrize("dont_filter", [False, True])
@pytest.mark.parametrize("url", [url for url in FOREIGN_URLS if not url.startswith("//")])
def test_foreign_url_is_refused(middleware: StrictOffsiteMiddleware, url: str, dont_filter: bool) -> None:
    with pytest.raises(IgnoreRequest):
        middleware.process_request(Request(url, dont_filter=dont_filter))  # a redirect sets dont_filter
    assert middleware.stats.get_value("offsite/filtered") == 1


@pytest.mark.parametrize("url", ["about:invalid?javascript:void(0)", "http:", "http://", "http://img.timeinc.net:443/"])
def test_url_without_a_usable_host_is_refused(middleware: StrictOffsiteMiddleware, url: str) -> None:
    with pytest.raises(IgnoreRequest):
        middleware.process_request(Request(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://img.timeinc.net/a.jpg",
        "http://IMG.TimeInc.net/a.jpg",
        "http://img.timeinc.net:80/a.jpg",
        "https://content.time.com/a",
        "https://content.time.com:443/a",
        "http://search.time.com/?to=http://elsewhere.example/",
    ],
)
def test_url_of_an_allowed_host_passes(middleware: StrictOffsiteMiddleware, url: str) -> None:
    middleware.process_request(Request(url))
    assert middleware.stats.get_value("offsite/filtered") is None


def test_request_of_an_archive_passes_if_its_meta_allows_it(middleware: StrictOffsiteMiddleware) -> None:
    middleware.process_request(Request("http://web.archive.org/web/2014id_/", meta={"allow_offsite": True}))


def test_foreign_request_is_refused_by_the_downloader_and_not_by_the_scheduler(
    middleware: StrictOffsiteMiddleware,
) -> None:
    spider = middleware.crawler.spider
    assert spider
    middleware.request_scheduled(Request("http://elsewhere.example/"), spider)  # its errback would not be called


def test_other_commands_have_the_filter_of_scrapy() -> None:
    with make_crawler() as crawler:
        middleware = StrictOffsiteMiddleware.from_crawler(crawler)
        middleware.process_request(Request("http://sub.img.timeinc.net:8080/a.jpg"))
        middleware.process_request(Request("http://elsewhere.example/", dont_filter=True))
        with pytest.raises(IgnoreRequest):
            middleware.process_request(Request("http://elsewhere.example/"))
