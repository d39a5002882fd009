"""Spiders of other shapes are crawled as completely, and as incrementally, as the cover spider."""

import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import DAYS, FULL_SPEED, PROJECT, Site, closing, feed, records, rows, run_scrapy, serving

from timecoverspider.replica.pages import cover_url, listing_page, listing_url

HEAD = """
from scrapy import Request, Spider, signals
from scrapy.exceptions import DropItem
from scrapy.spiders import CrawlSpider, Rule
from scrapy.linkextractors import LinkExtractor
from timecoverspider.spiders.coverspider import CoverSpider

class Shape(CoverSpider):
    name = "shape"
"""
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


def crawl(folder: Path, site: Site, source: str, *arguments: str, name: str = "shape") -> Any:
    """Crawl a site with the spider in a source text."""
    (folder / "shapes.py").write_text(f"{HEAD}{source if source.strip() else '    pass'}")
    command = ["crawl", name, "-o", "output.json", "-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]
    path = os.pathsep.join((str(PROJECT), str(folder)))
    site.asked.clear()
    with serving(site.app) as address:
        return run_scrapy(
            *command, "-s", "SPIDER_MODULES=shapes", *arguments, cwd=folder, PYTHONPATH=path, http_proxy=address
        )


@pytest.mark.parametrize("source", [COVERS_FIRST, META, ASYNC])
def test_order_and_names_of_callbacks_mean_nothing(tmp_path: Path, filled: Path, source: str) -> None:
    done = crawl(tmp_path, Site(DAYS[2:]), source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 38
    site = Site(DAYS)
    done = crawl(tmp_path, site, source)
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("content.time.com")) == sorted(map(cover_url, DAYS[:2]))
    assert len(site.asked_of("search.time.com")) == 3  # the second listing holds nothing new
    assert feed(tmp_path) == feed(filled)


def test_a_crawl_spider_without_a_word_of_ours_is_complete(tmp_path: Path) -> None:
    done = crawl(tmp_path, Site(DAYS[2:]), RULES, name="rules")
    assert done.returncode == 0, done.stderr
    site = Site(DAYS)
    done = crawl(tmp_path, site, RULES, name="rules")
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("content.time.com")) == sorted(map(cover_url, DAYS[:2]))
    assert len(records(tmp_path)) == 40


def test_the_errback_of_a_spider_is_called_and_the_failure_noted(tmp_path: Path) -> None:
    source = """
    def parse_page(self, response):
        for request in super().parse_page(response):
            yield request.replace(errback=self.mourn)

    def mourn(self, failure):
        self.logger.warning("Mourned: %s", failure.request.url)
        yield failure.request.replace(url=failure.request.url + "?again", dont_filter=True)
    """
    site = Site(DAYS[:5])
    site.instead[cover_url(DAYS[2])] = 404
    done = crawl(tmp_path, site, source)
    assert done.returncode == 3
    assert f"Mourned: {cover_url(DAYS[2])}" in done.stderr
    assert f"Missing: <{cover_url(DAYS[2])}>: HTTP 404" in done.stderr
    assert f"{cover_url(DAYS[2])}?again" in site.asked


PIPELINES = """
class Add:
    def process_item(self, item):
        return {**item, "decade": item["pubDate"][:3] + "0s"}

class Drop:
    def process_item(self, item):
        if item["pubDate"].startswith("2014"):
            raise DropItem("too young")
        return item
"""


def with_pipelines(**orders: int) -> list[str]:
    pipelines = ", ".join(f'"{name}": {order}' for name, order in orders.items())
    return ["-s", f"ITEM_PIPELINES={{{pipelines}}}".replace("ours", "timecoverspider.pipelines.ImageStorePipeline")]


def test_an_item_is_published_as_it_leaves_the_last_pipeline(tmp_path: Path) -> None:
    arguments = with_pipelines(ours=1, **{"shapes.Add": 300})
    for days in (DAYS[1:], DAYS):
        done = crawl(tmp_path, Site(days), f"    pass\n{PIPELINES}", *arguments)
        assert done.returncode == 0, done.stderr
        assert [list(record) for record in records(tmp_path)] == [
            ["title", "pubDate", "file_urls", "files", "decade"]
        ] * len(days)
    assert records(tmp_path)[0]["decade"] == "2010s"


def test_an_item_that_a_persons_pipeline_drops_has_not_failed(tmp_path: Path) -> None:
    done = crawl(tmp_path, Site(DAYS), f"    pass\n{PIPELINES}", *with_pipelines(ours=1, **{"shapes.Drop": 300}))
    assert done.returncode == 0, done.stderr
    assert {record["pubDate"][:4] for record in records(tmp_path)} == {"2013"}
    assert "Dropped: too young" in done.stderr


def test_pipelines_without_ours_are_refused_in_one_line(tmp_path: Path) -> None:
    site = Site(DAYS)
    done = crawl(tmp_path, site, f"    pass\n{PIPELINES}", *with_pipelines(**{"shapes.Add": 300}))
    assert done.returncode == 2
    assert "ITEM_PIPELINES must contain timecoverspider.pipelines.ImageStorePipeline" in closing(done)
    assert "Traceback" not in done.stderr
    assert not site.asked


def test_a_depth_limit_is_obeyed_and_not_taken_for_the_end(tmp_path: Path, filled: Path) -> None:
    done = crawl(tmp_path, Site(DAYS), "", "-s", "DEPTH_LIMIT=2")
    assert done.returncode == 3
    assert len(records(tmp_path)) == 15  # the index, the first listing, and its covers
    assert rows(tmp_path, "SELECT cut_by FROM crawls") == [("DEPTH_LIMIT",)]
    assert "Ended before the last listing page (DEPTH_LIMIT). " in closing(done)
    done = crawl(tmp_path, Site(DAYS), "")
    assert done.returncode == 0, done.stderr
    assert feed(tmp_path) == feed(filled)


def test_cookies_and_passwords_are_sent_as_scrapy_sends_them(tmp_path: Path) -> None:
    source = '    http_user, http_pass, http_auth_domain = "me", "secret", "search.time.com"'
    site, seen = Site(DAYS[:5]), []

    async def listing(request: web.Request) -> web.StreamResponse:
        seen.append((request.cookies.get("session"), request.headers.get("Authorization")))
        response = web.Response(text=listing_page(DAYS[:20]), content_type="text/html")
        response.set_cookie("session", "4711")
        return response

    first = f"{listing_url()}&sid=150424A4D8E2&internalid=endeca_dimension".replace("|", "%7C")
    site.instead = {first: listing, listing_url(offset=15).replace("|", "%7C"): listing}
    crawl(tmp_path, site, source)
    assert seen == [(None, "Basic bWU6c2VjcmV0"), ("4711", "Basic bWU6c2VjcmV0")]
