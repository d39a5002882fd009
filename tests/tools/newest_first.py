"""A spider whose listings show the newest page first, what it yields, and what of that a middleware lets pass."""

from typing import Any

from components import page_of, spider_output
from mock_archive import DAYS
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import HtmlResponse, Request

from timecoverspider.replica.pages import cover_url
from timecoverspider.spidermiddlewares.incremental import IncrementalCrawlMiddleware
from timecoverspider.spiders.coverspider import CoverSpider

STORED = [cover_url(day) for day in DAYS[:10]]
NEW = cover_url(DAYS[10])
LISTING, NEXT = "http://search.time.com/results.html?No=0", "http://search.time.com/results.html?No=15"
ITEM = {"title": "t"}
OPEN_PAGE = "<p>cut"


class Newest(Spider):
    """A spider whose listings show the newest first."""

    name = CoverSpider.name  # the data sets that components.fill makes are of this spider
    newest_first = True

    def parse_list(self, response: Any) -> None: ...

    def parse_item(self, response: Any) -> None: ...


class Unordered(Newest):
    newest_first = False


def listing(crawler: Crawler, body: str = "<p></html>", **meta: Any) -> HtmlResponse:
    """Return a listing that ``parse_list`` reads."""
    return page_of(Request(LISTING, crawler.spider.parse_list, meta=meta), body)  # type: ignore[union-attr]


def item_request(crawler: Crawler, url: str, **meta: Any) -> Request:
    return Request(url, crawler.spider.parse_item, meta=meta)  # type: ignore[union-attr]


def next_request(crawler: Crawler, **meta: Any) -> Request:
    return Request(NEXT, crawler.spider.parse_list, meta=meta)  # type: ignore[union-attr]


def urls_sent(middleware: IncrementalCrawlMiddleware, response: HtmlResponse, *outputs: Any) -> list[str]:
    """Return the URLs of the requests that pass, in order."""
    passed = spider_output(middleware, response, outputs)
    return [output.url for output in passed if isinstance(output, Request)]
