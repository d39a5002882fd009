"""A shop of a few pages: other items, other keys, other requests than the archive has."""

from pathlib import Path

import pytest
from aiohttp import web
from data_set import failures, feed, records
from mock_archive import DAYS, redirect
from other_spiders import IMAGES, image_tags, links, shop
from scrapy_command import last_line

from timecoverspider.replica.pages import image_url


@pytest.mark.parametrize("value", ['"\\ud83d"', 'b"x" and object()'])
def test_item_that_cannot_be_saved_costs_no_other(tmp_path: Path, value: str) -> None:
    source = IMAGES.replace("return {}", f'return {{"title": {value}}} if response.url.endswith("b") else {{}}')
    pages = {"/shop": links("/a", "/b", "/c"), "/a": image_tags(0), "/b": image_tags(1), "/c": image_tags(2)}
    done, _ = shop(tmp_path, pages, source)
    assert done.returncode == 3, done.stderr
    assert set(failures(tmp_path)) == {"http://search.time.com/b"}
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 2


def test_request_with_another_body_is_another_page(tmp_path: Path) -> None:
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
        done, archive = shop(tmp_path, pages, source.replace("count = 2", f"count = {count}"))
        assert done.returncode == 0, done.stderr
        assert len(records(tmp_path)) == count
        assert archive.requests.count("http://search.time.com/api") == 2


def test_meta_that_is_copied_from_a_listing_makes_no_listing(tmp_path: Path) -> None:
    source = """
    def parse(self, response):
        yield response.follow("/list", self.parse_list, meta={"pagination": True})

    def parse_list(self, response):
        yield from response.follow_all(css="a", callback=self.read, meta=response.meta)

    def read(self, response):
        yield {"title": response.url, "file_urls": response.css("img::attr(src)").getall()}
    """

    pages = {
        "/shop": "x</html>",
        "/list": redirect("/list2"),
        "/list2": links("/a", "/b"),
        "/a": image_tags(0),
        "/b": 404,
    }
    done, _ = shop(tmp_path, pages, source)
    assert done.returncode == 3, done.stderr  # a page is missing, not the archive
    pages |= {"/list2": links("/a", "/b", "/c"), "/b": image_tags(1), "/c": image_tags(2)}
    done, archive = shop(tmp_path, pages, source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 3
    assert "http://search.time.com/a" not in archive.requests


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ('record_key = "title"', 2, "record_key of the spider shop must be a list"),
        ('record_key = ["titel"]', 3, "has no field titel"),
    ],
)
def test_invalid_record_key_is_refused(tmp_path: Path, line: str, status: int, said: str) -> None:
    done, _ = shop(tmp_path, {"/shop": links("/a"), "/a": image_tags(0)}, f"    {line}\n{IMAGES}")
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_csv_feed_has_a_column_for_each_field_of_any_record(tmp_path: Path) -> None:
    source = IMAGES.replace("return {}", 'return {"editor": "me"} if response.url.endswith("b") else {}')
    pages = {"/shop": links("/a", "/b"), "/a": image_tags(0), "/b": image_tags(1)}
    done, _ = shop(tmp_path, pages, source, "-o", "shop.csv")
    assert done.returncode == 0, done.stderr
    header = feed(tmp_path, "shop.csv").decode("utf-8-sig").splitlines()[0]
    assert header == "url,image_url,path,checksum,editor"


@pytest.mark.slow  # Scrapy sees after 5 s that nothing is left to do
def test_start_that_yields_items_alone_is_a_complete_crawl(tmp_path: Path) -> None:
    source = f"""
    async def start(self):
        yield {{"title": "t", "file_urls": ["{image_url(DAYS[0])}"]}}
    """
    done, _ = shop(tmp_path, {}, source)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 1


def test_record_without_a_key_whose_page_moved_is_not_doubled(tmp_path: Path) -> None:
    pages = {
        "/shop": links("/a", "/b"),
        "/a": image_tags(0),
        "/b": image_tags(1),
        "/a?v=2": image_tags(0),
        "/b?v=2": image_tags(1),
    }
    assert shop(tmp_path, pages, IMAGES)[0].returncode == 0
    pages["/shop"] = links("/a?v=2", "/b?v=2")
    for _ in range(2):
        done, _ = shop(tmp_path, pages, IMAGES)
        assert done.returncode == 0, done.stderr
        assert [record["url"][-6:] for record in records(tmp_path)] == ["/a?v=2", "/b?v=2"]
    assert "nothing new" in last_line(done)
