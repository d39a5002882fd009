"""Spiders of any shape are complete after the first crawl, and the second crawl requests only what may be new."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiohttp import web
from own_project import AnySite, OwnProject
from scrapy_command import last_line
from shapes import SHAPES, A, Shape, page, tags


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_spider_of_any_shape_is_complete_and_recrawled_incrementally(tmp_path: Path, shape: Shape) -> None:
    project, site = OwnProject(tmp_path, shape.source), AnySite(dict(shape.site))
    done = project.crawl("shape", site)
    assert done.returncode == 0, done.stderr
    assert len(project.records("shape", *shape.fields)) == shape.records
    assert len(set(site.requests)) == len(site.requests)
    before = (tmp_path / "shape.json").read_bytes()
    done = project.crawl("shape", site)
    assert done.returncode == 0, done.stderr
    assert sorted(site.requested()) == sorted(f"{A}{path}" for path in shape.again)
    assert (tmp_path / "shape.json").read_bytes() == before
    assert f"{shape.records} records in shape.json" in last_line(done)
    assert "nothing new" in last_line(done)


class FullSlots(AnySite):
    """A site that sends no image before eight are requested at the same time."""

    waiting = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.path.endswith(".jpg"):
            self.waiting += 1
            if self.waiting == 1:
                self.eight = asyncio.Event()
            if self.waiting == 8:
                self.eight.set()
            await asyncio.wait_for(self.eight.wait(), 20)
        return await super().answer(request)


IMAGES_OF_A_PAGE = f"""
class Page(Spider):
    name = "page"
    start_urls = ["{A}/"]

    def parse(self, response):
        for image in response.css("img::attr(src)").getall():
            yield {{"file_urls": [response.urljoin(image)]}}
"""


def test_page_of_100_images_fills_the_allowed_slots(tmp_path: Path) -> None:
    project = OwnProject(tmp_path, IMAGES_OF_A_PAGE, CONCURRENT_REQUESTS_PER_DOMAIN=8)
    site = FullSlots({f"{A}/": page(tags(*(f"/{number}.jpg" for number in range(100))))})
    done = project.crawl("page", site)
    assert done.returncode == 0, done.stderr
    assert len(project.records("page")) == len(project.images("page")) == 100
    done = project.crawl("page", site)
    assert done.returncode == 0, done.stderr
    assert site.requested() == [f"{A}/"]
    assert len(project.records("page")) == 100


@pytest.mark.slow
def test_page_of_images_that_is_killed_damaged_and_repaired_is_complete(tmp_path: Path) -> None:
    project = OwnProject(tmp_path, IMAGES_OF_A_PAGE)
    site = AnySite({f"{A}/": page(tags(*(f"/{number}.jpg" for number in range(60))))})
    project.kill_crawl("page", site, 40)
    assert project.crawl("page", site).returncode == 0
    assert len(project.records("page")) == 60
    damaged = project.data_set("page") / "full" / f"{hashlib.sha1(f'{A}/7.jpg'.encode()).hexdigest()}.jpg"
    damaged.write_bytes(b"no image")
    (damaged.parent / "mine.jpg").write_bytes(b"mine")
    done = project.scrapy("verify", "page")
    assert done.returncode == 3
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]] == ["cut", "unknown"]
    done = project.served(site, "verify", "--repair", "page")
    assert done.returncode == 0, done.stderr
    assert site.requested() == [f"{A}/7.jpg"]
    assert len(project.records("page")) == 60
    assert (project.data_set("page") / "unknown" / "mine.jpg").exists()


def test_pipeline_of_the_user_beside_the_one_of_the_project_is_run(tmp_path: Path) -> None:
    source = f"""
class Count:
    def process_item(self, item):
        return {{**item, "images": len(item["files"])}}
{IMAGES_OF_A_PAGE}
    custom_settings = {{
        "ITEM_PIPELINES": {{"timecoverspider.pipelines.ImageStorePipeline": 1, "own_spiders.shapes.Count": 300}}
    }}
"""
    project = OwnProject(tmp_path, source)
    done = project.crawl("page", AnySite({f"{A}/": page(tags("/1.jpg", "/2.jpg"))}))
    assert done.returncode == 0, done.stderr
    assert [record["images"] for record in project.records("page")] == [1, 1]


def test_string_in_place_of_the_list_of_urls_is_refused_in_one_line(tmp_path: Path) -> None:
    project = OwnProject(tmp_path, IMAGES_OF_A_PAGE.replace("[response.urljoin(image)]", "response.urljoin(image)"))
    done = project.crawl("page", AnySite({f"{A}/": page(tags("/1.jpg"))}))
    assert done.returncode == 3
    assert "must be a list" in last_line(done)
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "must be a list" in line]) == 2  # the failure, the end


def test_images_in_a_field_that_the_settings_do_not_name_are_refused_with_the_setting(tmp_path: Path) -> None:
    project = OwnProject(tmp_path, IMAGES_OF_A_PAGE.replace("file_urls", "image_urls"))
    done = project.crawl("page", AnySite({f"{A}/": page(tags("/1.jpg"))}))
    assert done.returncode == 3
    assert "set FILES_URLS_FIELD to 'image_urls'" in last_line(done)
    assert "Traceback" not in done.stderr


B = "http://b.example"


def test_images_on_another_domain_fail_with_the_domain_to_add(tmp_path: Path) -> None:
    source = f"""
class Three(Spider):
    name = "three"
    allowed_domains = ["a.example"]
    start_urls = ["{A}/"]

    def parse(self, response):
        yield from response.follow_all(css="a", callback=self.read)

    def read(self, response):
        yield {{"file_urls": [response.urljoin(image) for image in response.css("img::attr(src)").getall()]}}
"""
    project = OwnProject(tmp_path, source)
    pages: dict[str, str | int] = {f"{A}/": page('<a href="/1">x</a><a href="/2">x</a>')}
    for number in (1, 2):
        pages[f"{A}/{number}"] = page(tags(f"/{number}.jpg", f"{B}/{number}a.jpg", f"{B}/{number}b.jpg"))
    site = AnySite(pages)
    done = project.crawl("three", site)
    assert done.returncode == 3
    assert "b.example is not in allowed_domains" in last_line(done)
    assert not [url for url in site.requests if url.startswith(B)]
    assert project.records("three") == []
    project.write(source.replace('["a.example"]', '["a.example", "b.example"]'))
    done = project.crawl("three", site)
    assert done.returncode == 0, done.stderr
    assert "2 records in three.json, 6 images in" in last_line(done)
    assert [len(record["files"]) for record in project.records("three")] == [3, 3]
    assert f"{A}/1.jpg" not in site.requests  # it is stored since the first crawl
    assert project.crawl("three", site).returncode == 0
    assert site.requested() == [f"{A}/"]
