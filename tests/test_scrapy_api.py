"""What the project uses of Scrapy and Scrapy does not promise.

Each test fails in an instant, by name, if a new version of Scrapy changes it. Tests named *_still_* hold a bug of
Scrapy 2.19.0 fast: when one fails, the workaround that it names can go.
"""

import asyncio
import gzip
import inspect
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from downloading import crawl
from scrapy.commands.crawl import Command as CrawlCommand
from scrapy.core.downloader import Downloader
from scrapy.core.downloader.handlers._aiohttp import AiohttpDownloadHandler
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import NotConfigured
from scrapy.exporters import CsvItemExporter
from scrapy.extensions.feedexport import FeedExporter, FileFeedStorage
from scrapy.http import Headers, HtmlResponse, Request, Response
from scrapy.link import Link
from scrapy.linkextractors import LinkExtractor
from scrapy.settings import Settings
from scrapy.spiders import CrawlSpider, Rule, Spider
from scrapy.utils.gz import gunzip
from scrapy.utils.test import get_crawler

from timecoverspider.downloadhandlers import HTTPDownloadHandler


@pytest.fixture
def crawler() -> Crawler:
    return get_crawler(settings_dict={"TWISTED_REACTOR_ENABLED": False})


def test_aiohttp_handler_is_the_default_without_a_reactor(crawler: Crawler) -> None:
    """downloadhandlers.py subclasses the handler that Scrapy itself would take."""
    handlers = crawler.settings["DOWNLOAD_HANDLERS_BASE"]
    path = f"{AiohttpDownloadHandler.__module__}.{AiohttpDownloadHandler.__qualname__}"
    crawler._apply_settings()
    assert (handlers["http"], handlers["https"]) == (path, path)


def test_aiohttp_handler_takes_headers_from_extract_headers() -> None:
    """downloadhandlers.py overrides it."""
    [name] = inspect.signature(AiohttpDownloadHandler._extract_headers).parameters
    assert name == "response"
    assert "self._extract_headers(response)" in inspect.getsource(AiohttpDownloadHandler._read_response)


def test_aiohttp_handler_sends_with_make_request() -> None:
    """downloadhandlers.py overrides it, and takes what it needs from the handler."""
    assert list(inspect.signature(AiohttpDownloadHandler._make_request).parameters) == ["self", "request", "timeout"]
    assert "async with self._make_request(request, timeout) as response:" in inspect.getsource(
        AiohttpDownloadHandler.download_request
    )
    source = inspect.getsource(AiohttpDownloadHandler)
    for name in ("self._session.request(", "self._ssl_context", "self._extract_proxy_url_with_creds(request)"):
        assert name in source
    assert "self._request_headers(request)" in source


def test_aiohttp_handler_is_still_experimental() -> None:
    """If it is not, ``experimental`` in downloadhandlers.py can go."""
    assert AiohttpDownloadHandler.experimental
    assert not HTTPDownloadHandler.experimental


def test_headers_that_are_not_utf_8_still_raise() -> None:
    """If they do not, ``_extract_headers`` in downloadhandlers.py can go."""

    value = b"Espa\xf1a"
    response = SimpleNamespace(
        headers={"X-Title": value.decode("utf-8", "surrogateescape")}, raw_headers=((b"X-Title", value),)
    )
    with pytest.raises(UnicodeEncodeError):
        AiohttpDownloadHandler._extract_headers(response)
    assert HTTPDownloadHandler._extract_headers(response) == Headers({"X-Title": value})


def test_downloader_still_exceeds_the_concurrency_of_a_slot() -> None:
    """If it does not, the semaphores in downloadhandlers.py can go."""
    flying: list[int] = [0, 0]

    class Counting(HTTPDownloadHandler):
        async def download_request(self, request: Request) -> Response:
            flying[0] += 1
            flying[1] = max(flying)
            for _ in range(100):  # turns of the event loop
                await asyncio.sleep(0)
            flying[0] -= 1
            return Response(request.url)

    requests = [Request(f"http://127.0.0.1/{number}") for number in range(20)]
    crawl(*requests, DOWNLOAD_HANDLERS={"http": Counting}, CONCURRENT_REQUESTS_PER_DOMAIN=1)
    assert flying[1] > 1


def test_gunzip_still_takes_half_a_stream_for_a_complete_one() -> None:
    """If it does not, ``_check`` in downloadermiddlewares/httpcompression.py can go."""
    assert gunzip(gzip.compress(b"x" * 1000)[:-8])


def test_compression_decodes_with_a_function_of_its_own() -> None:
    """downloadermiddlewares/httpcompression.py overrides it."""
    names = list(inspect.signature(HttpCompressionMiddleware._decode).parameters)
    assert names == ["body", "encoding", "max_size"]
    assert "self._decode(body, encoding, max_size)" in inspect.getsource(HttpCompressionMiddleware._handle_encoding)


def test_blank_content_encoding_still_prevents_decoding() -> None:
    """If it does not, ``_normalized_codings`` in downloadermiddlewares/httpcompression.py can go."""
    assert HttpCompressionMiddleware._split_encodings([b"gzip", b""])[0] == []


def test_robots_middleware_has_its_parser() -> None:
    """downloadermiddlewares/robotstxt.py makes parsers of this class."""
    crawler = get_crawler(settings_dict={"TWISTED_REACTOR_ENABLED": False, "ROBOTSTXT_OBEY": True})
    parser = RobotsTxtMiddleware(crawler)._parserimpl
    assert parser.from_crawler(crawler, b"User-agent: *\nDisallow: /a").allowed("/a", "x") is False


def test_downloader_counts_active_requests_in_a_set() -> None:
    """downloadermiddlewares/retry.py takes requests that wait out of it, so that they hold no place."""
    seen: list[object] = []

    class Looking:
        @classmethod
        def from_crawler(cls, crawler: Crawler) -> "Looking":
            looking = cls()
            looking.crawler = crawler
            return looking

        def process_request(self, request: Request) -> Response:
            seen.extend([self.crawler.engine.downloader.active, request])
            return Response(request.url)

    crawl(Request("http://127.0.0.1/"), DOWNLOADER_MIDDLEWARES={Looking: 1})
    active, request = seen
    assert isinstance(active, set)
    assert active == set()  # the request has left it, as fetch removes it
    assert "self.active.remove(request)" in inspect.getsource(Downloader.fetch)
    assert "len(self.active)" in inspect.getsource(Downloader.needs_backout)
    assert isinstance(request, Request)


def test_proxies_are_set_with_a_method_of_their_own() -> None:
    """downloadermiddlewares/httpproxy.py calls it; when Scrapy no longer calls proxy_bypass each time, it can go."""
    names = list(inspect.signature(HttpProxyMiddleware._set_proxy_and_creds).parameters)
    assert names == ["self", "request", "proxy_url", "creds", "scheme"]
    assert "proxy_bypass(parsed.hostname)" in inspect.getsource(HttpProxyMiddleware.process_request)


def test_responses_hold_their_selector() -> None:
    """spidermiddlewares/incremental.py lets go of it."""
    response = HtmlResponse("http://a/", body=b"<p>", encoding="utf-8")
    assert response._cached_selector is None
    assert response.selector is response._cached_selector
    assert response.selector.response is response


def test_callbacks_default_to_parse_and_crawl_spiders_name_their_rule() -> None:
    """By these spidermiddlewares/incremental.py knows pagination."""
    rule = Rule(LinkExtractor(), callback="read")
    spider = type("Rules", (CrawlSpider,), {"name": "rules", "rules": [rule], "read": lambda *_: []})()
    one, other = (spider._build_request(number, Link(f"http://a/{number}")) for number in (0, 1))
    assert one.callback == other.callback
    assert (one.meta["rule"], other.meta["rule"]) == (0, 1)
    assert "self.parse(" in inspect.getsource(Spider._parse)


def test_feed_exporter_has_slots_that_count_their_items(crawler: Crawler, tmp_path: Path) -> None:
    """extensions/feedexport.py reads them, and takes item_scraped off the signal."""
    crawler = get_crawler(Spider, {"FEEDS": {str(tmp_path / "a.json"): {"format": "json"}}})
    exporter = FeedExporter(crawler)
    exporter.open_spider(Spider("a"))
    exporter.item_scraped({"a": 1}, Spider("a"))
    [slot] = exporter.slots
    assert slot.itemcount == 1
    assert isinstance(slot.storage, FileFeedStorage)
    assert inspect.iscoroutinefunction(FeedExporter.close_spider)
    slot.file.close()


def test_feed_exporter_without_feeds_is_complete_when_it_says_so(crawler: Crawler) -> None:
    """extensions/feedexport.py goes on then, to write metadata.jsonl."""
    exporter = FeedExporter.__new__(FeedExporter)
    with pytest.raises(NotConfigured):
        FeedExporter.__init__(exporter, crawler)
    assert (exporter.crawler, exporter.feeds, exporter.slots) == (crawler, {}, [])
    exporter.open_spider(Spider("a"))
    exporter.item_scraped({"a": 1}, Spider("a"))
    asyncio.run(exporter.close_spider(Spider("a")))


def test_csv_header_and_rows_are_built_by_one_method() -> None:
    """exporters.py overrides it."""
    assert list(inspect.signature(CsvItemExporter._build_row).parameters) == ["self", "values"]
    for method in (CsvItemExporter.export_item, CsvItemExporter._write_headers_and_set_fields_to_export):
        assert "self._build_row(" in inspect.getsource(method)


def test_crawl_command_makes_its_crawler() -> None:
    """commands/crawl.py has it do so."""
    assert list(inspect.signature(CrawlCommand._create_crawler).parameters) == ["self", "spidercls"]


@pytest.mark.parametrize(
    "name",
    ["addons", "crawler", "middleware", "statscollectors", "utils.log", "core.scraper", "extensions.feedexport"],
)
def test_loggers_have_the_names_of_their_modules(name: str) -> None:
    """logformatter.py filters what they say."""
    assert "logging.getLogger(__name__)" in inspect.getsource(import_module(f"scrapy.{name}"))


@pytest.mark.parametrize(
    ("setting", "count"), [("SPIDER_MIDDLEWARES", 6), ("DOWNLOADER_MIDDLEWARES", 14), ("EXTENSIONS", 11)]
)
def test_scrapy_enables_the_components_that_we_know(setting: str, count: int) -> None:
    """A new one may see, or change, what ours rely on: look at it before this number is changed."""
    assert len(Settings()[f"{setting}_BASE"]) == count


def test_project_overrides_each_middleware_in_its_own_place() -> None:
    """An order of the project's middlewares that Scrapy's own no longer have would change what sees what."""
    settings = Settings()
    settings.setmodule("timecoverspider.settings")
    base, own = settings["DOWNLOADER_MIDDLEWARES_BASE"], settings["DOWNLOADER_MIDDLEWARES"]
    stock = {path.rpartition(".")[2]: order for path, order in base.items()}
    ours = {path.rpartition(".")[2]: order for path, order in own.items() if order is not None}
    assert ours["StrictRobotsTxtMiddleware"] == stock["RobotsTxtMiddleware"]
    assert ours["BackoffRetryMiddleware"] == stock["RetryMiddleware"]
    assert ours["StrictHttpCompressionMiddleware"] == stock["HttpCompressionMiddleware"]
    assert ours["PersistentRedirectMiddleware"] == stock["RedirectMiddleware"]
    assert ours["ArchiveMiddleware"] < stock["HttpProxyMiddleware"]
