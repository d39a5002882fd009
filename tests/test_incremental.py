"""Spiders of other shapes are crawled as completely, and as incrementally, as the cover spider."""

import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import DAYS, FULL_SPEED, PROJECT, Site, closing, feed, records, rows, run_scrapy, serving

from timecoverspider.replica.pages import cover_url, image_url, listing_page, listing_url

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


SHOP = """
class Shop(Spider):
    name = "shop"
    start_urls = ["http://search.time.com/shop"]
    allowed_domains = CoverSpider.allowed_domains
"""


def shop(folder: Path, pages: dict[str, Any], source: str, *arguments: str) -> Any:
    """Crawl a shop of a few pages on the first host: by path, its HTML or a function."""
    site = Site(DAYS[:5])
    site.instead = {f"http://search.time.com{path}": page for path, page in pages.items()}
    return crawl(folder, site, f"    pass\n{SHOP}{source}", *arguments, name="shop"), site


def links(*paths: str) -> str:
    return "".join(f"<a href='{path}'>x</a>" for path in paths) + "</html>"


def items(*images: int) -> str:
    return "".join(f"<img src='{image_url(DAYS[number])}'>" for number in images) + "</html>"


IMAGES = """
    def parse(self, response):
        yield from response.follow_all(css="a", callback=self.read)

    def read(self, response):
        for url in response.css("img::attr(src)").getall():
            yield {"url": response.url, "file_urls": [url], **self.more(response)}

    def more(self, response):
        return {}
"""


@pytest.mark.parametrize("value", ['"\\ud83d"', 'b"x" and object()'])
def test_an_item_that_cannot_be_saved_costs_no_other(tmp_path: Path, value: str) -> None:
    source = IMAGES.replace("return {}", f'return {{"title": {value}}} if response.url.endswith("b") else {{}}')
    pages = {"/shop": links("/a", "/b", "/c"), "/a": items(0), "/b": items(1), "/c": items(2)}
    done, _ = shop(tmp_path, pages, source)
    assert done.returncode == 3, done.stderr
    assert "Missing: <http://search.time.com/b>: its item cannot be saved" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 2


def test_the_same_url_with_another_body_is_another_page(tmp_path: Path) -> None:
    source = """
    count = 2

    def parse(self, response):
        for number in range(int(self.count)):
            yield Request("http://search.time.com/api", self.read, method="POST", body=str(number))

    def read(self, response):
        yield {"title": response.text, "file_urls": [response.text]}
    """

    async def api(request: web.Request) -> web.StreamResponse:
        return web.Response(text=image_url(DAYS[int(await request.text())]), content_type="text/html")

    pages = {"/shop": "x</html>", "/api": api}
    for count in (2, 4):
        done, site = shop(tmp_path, pages, source.replace("count = 2", f"count = {count}"))
        assert done.returncode == 0, done.stderr
        assert len(records(tmp_path)) == count
        assert site.asked.count("http://search.time.com/api") == 2


def test_meta_that_is_copied_from_the_page_says_nothing_of_the_next(tmp_path: Path) -> None:
    source = """
    def parse(self, response):
        yield response.follow("/list", self.parse_list, meta={"pagination": True})

    def parse_list(self, response):
        yield from response.follow_all(css="a", callback=self.read, meta=response.meta)

    def read(self, response):
        yield {"title": response.url, "file_urls": response.css("img::attr(src)").getall()}
    """

    async def moved(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/list2"})

    pages = {"/shop": "x</html>", "/list": moved, "/list2": links("/a", "/b"), "/a": items(0), "/b": 404}
    done, _ = shop(tmp_path, pages, source)
    assert done.returncode == 3, done.stderr  # a page is missing, not the site
    pages |= {"/list2": links("/a", "/b", "/c"), "/b": items(1), "/c": items(2)}
    done, site = shop(tmp_path, pages, source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 3
    assert "http://search.time.com/a" not in site.asked


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ('record_key = "title"', 2, "record_key of the spider shop must be a list of names"),
        ('record_key = ["titel"]', 3, "it has no field titel, which record_key names"),
    ],
)
def test_a_key_that_is_none_is_refused(tmp_path: Path, line: str, status: int, said: str) -> None:
    done, _ = shop(tmp_path, {"/shop": links("/a"), "/a": items(0)}, f"    {line}\n{IMAGES}")
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_csv_feed_has_a_column_for_each_field_of_any_record(tmp_path: Path) -> None:
    source = IMAGES.replace("return {}", 'return {"editor": "me"} if response.url.endswith("b") else {}')
    pages = {"/shop": links("/a", "/b"), "/a": items(0), "/b": items(1)}
    done, _ = shop(tmp_path, pages, source, "-o", "shop.csv")
    assert done.returncode == 0, done.stderr
    assert feed(tmp_path, "shop.csv").splitlines()[0] == b"url,file_urls,files,editor"


def test_a_feed_that_chooses_by_class_is_refused(tmp_path: Path) -> None:
    feeds = '{"a.json": {"format": "json", "item_classes": ["shapes.Shop"]}}'
    pages = {"/shop": links("/a"), "/a": items(0)}
    source = f"    custom_settings = {{'FEEDS': {feeds}}}\n{IMAGES}"
    (tmp_path / "shapes.py").write_text(f"{HEAD}    pass\n{SHOP}{source}")
    with serving(Site(DAYS).app) as address:
        done = run_scrapy(
            "crawl", "shop", "-s", f"FILES_STORE={tmp_path / 'output'}", "-s", "SPIDER_MODULES=shapes", *FULL_SPEED,
            cwd=tmp_path, PYTHONPATH=os.pathsep.join((str(PROJECT), str(tmp_path))), http_proxy=address,
        )  # fmt: skip
    assert done.returncode == 2, (done.stderr, pages)
    assert "has item_classes or item_filter" in closing(done)


def test_items_of_the_start_alone_are_a_complete_crawl(tmp_path: Path) -> None:
    source = f"""
    async def start(self):
        yield {{"title": "t", "file_urls": ["{image_url(DAYS[0])}"]}}
    """
    done, _ = shop(tmp_path, {}, source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 1


def test_a_record_whose_page_moved_is_not_doubled_without_a_key(tmp_path: Path) -> None:
    pages = {"/shop": links("/a", "/b"), "/a": items(0), "/b": items(1), "/a?v=2": items(0), "/b?v=2": items(1)}
    assert shop(tmp_path, pages, IMAGES)[0].returncode == 0
    pages["/shop"] = links("/a?v=2", "/b?v=2")
    for _ in range(2):
        done, _ = shop(tmp_path, pages, IMAGES)
        assert done.returncode == 0, done.stderr
        assert [record["url"][-6:] for record in records(tmp_path)] == ["/a?v=2", "/b?v=2"]
    assert "nothing new" in closing(done)
