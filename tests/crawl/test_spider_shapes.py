"""Spiders of other shapes are crawled as completely, and as incrementally, as the cover spider."""

from pathlib import Path

import pytest
from aiohttp import web
from data_set import failures, feed, records, rows
from mock_archive import DAYS, FIRST_LISTING, MockArchive
from other_spiders import crawl
from scrapy_command import last_line

from timecoverspider.replica.pages import cover_url, listing_page, listing_url

pytestmark = pytest.mark.slow

# Listings read by callbacks of other names, and in another order.
COVERS_FIRST = """
    def parse(self, response):
        for request in super().parse(response):
            yield request.replace(callback=self.read_listing)

    def read_listing(self, response):
        requests = list(super().parse_page(response))
        for request in requests[1:] + requests[:1]:
            is_next = "Large" not in response.xpath(f"//a[@href='{request.url}']/text()").get("")
            yield request.replace(callback=self.read_listing if request.priority else self.read_cover)

    def read_cover(self, response):
        yield from super().parse_covers(response)
"""
# The next listing is read by another callback, so that only its meta says that it is pagination.
META = """
    def parse(self, response):
        for request in super().parse(response):
            yield request.replace(callback=self.odd)

    def odd(self, response):
        for request in super().parse_page(response):
            if request.priority:
                request = request.replace(callback=self.even, meta={"pagination": True})
            yield request

    def even(self, response):
        for request in super().parse_page(response):
            if request.priority:
                request = request.replace(callback=self.odd, meta={"pagination": True})
            yield request
"""
ASYNC = """
    async def start(self):
        yield Request(self.start_urls[0], self.parse)

    async def parse_covers(self, response):
        for item in super().parse_covers(response):
            yield dict(item)
"""
# As Scrapy's tutorial has it: no newest_first, no key, rules in place of callbacks.
RULES = """
class Rules(CrawlSpider):
    name = "rules"
    allowed_domains = CoverSpider.allowed_domains
    start_urls = CoverSpider.start_urls
    ignored_parameters = CoverSpider.ignored_parameters
    rules = [
        Rule(LinkExtractor(restrict_css="div.refineCol", allow="N=46.30")),
        Rule(LinkExtractor(restrict_css="div.pages", restrict_text="Next")),
        Rule(LinkExtractor(restrict_text="Large Cover"), callback="read"),
    ]

    def read(self, response):
        yield from CoverSpider.parse_covers(self, response)
"""


@pytest.mark.parametrize("source", [COVERS_FIRST, META, ASYNC])
def test_recrawl_is_incremental_whatever_the_order_and_the_names_of_callbacks(
    tmp_path: Path, filled: Path, source: str
) -> None:
    done = crawl(tmp_path, MockArchive(DAYS[2:]), source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 38
    archive = MockArchive()
    done = crawl(tmp_path, archive, source)
    assert done.returncode == 0, done.stderr
    assert sorted(archive.requests_to("content.time.com")) == sorted(map(cover_url, DAYS[:2]))
    assert len(archive.requests_to("search.time.com")) == 3  # the second listing holds nothing new
    assert feed(tmp_path) == feed(filled)


def test_crawl_spider_without_attributes_of_this_project_is_complete(tmp_path: Path) -> None:
    done = crawl(tmp_path, MockArchive(DAYS[2:]), RULES, name="rules")
    assert done.returncode == 0, done.stderr
    archive = MockArchive()
    done = crawl(tmp_path, archive, RULES, name="rules")
    assert done.returncode == 0, done.stderr
    assert sorted(archive.requests_to("content.time.com")) == sorted(map(cover_url, DAYS[:2]))
    assert len(records(tmp_path)) == 40


def test_errback_of_a_spider_is_called_and_the_failure_noted(tmp_path: Path) -> None:
    source = """
    def parse_page(self, response):
        for request in super().parse_page(response):
            yield request.replace(errback=self.mourn)

    def mourn(self, failure):
        self.logger.warning("Mourned: %s", failure.request.url)
        yield failure.request.replace(url=failure.request.url + "?again", dont_filter=True)
    """
    archive = MockArchive(DAYS[:5])
    archive.answers[cover_url(DAYS[2])] = 404
    done = crawl(tmp_path, archive, source)
    assert done.returncode == 3
    assert f"Mourned: {cover_url(DAYS[2])}" in done.stderr
    assert failures(tmp_path)[cover_url(DAYS[2])] == "HTTP 404"
    assert f"{cover_url(DAYS[2])}?again" in archive.requests


def test_depth_limit_is_obeyed_and_not_taken_for_the_end_of_the_listings(tmp_path: Path, filled: Path) -> None:
    done = crawl(tmp_path, MockArchive(), "", "-s", "DEPTH_LIMIT=2")
    assert done.returncode == 3
    assert len(records(tmp_path)) == 15  # the index, the first listing, and its covers
    assert rows(tmp_path, "SELECT cut_by FROM crawls") == [("DEPTH_LIMIT",)]
    assert "DEPTH_LIMIT" in last_line(done)
    done = crawl(tmp_path, MockArchive(), "")
    assert done.returncode == 0, done.stderr
    assert feed(tmp_path) == feed(filled)


def test_cookies_and_passwords_are_sent_as_scrapy_sends_them(tmp_path: Path) -> None:
    source = '    http_user, http_pass, http_auth_domain = "me", "secret", "search.time.com"'
    archive, seen = MockArchive(DAYS[:5]), []

    async def listing(request: web.Request) -> web.StreamResponse:
        seen.append((request.cookies.get("session"), request.headers.get("Authorization")))
        response = web.Response(text=listing_page(DAYS[:20]), content_type="text/html")
        response.set_cookie("session", "4711")
        return response

    archive.answers = {FIRST_LISTING: listing, listing_url(offset=15).replace("|", "%7C"): listing}
    crawl(tmp_path, archive, source)
    assert seen == [(None, "Basic bWU6c2VjcmV0"), ("4711", "Basic bWU6c2VjcmV0")]
