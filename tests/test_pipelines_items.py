"""Items of any class, with any number of images."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import attrs
import pytest
from components import FakeEngine, make_crawler, small_image
from itemadapter import ItemAdapter
from scrapy import Field, Item, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response

from timecoverspider.extensions.item_store import EnoughRecordsError, IncompleteItemError
from timecoverspider.pipelines import ImageStorePipeline

URL = "http://example.com/a.jpg"


class Plain(Spider):
    name = "plain"


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    with make_crawler(tmp_path, Plain) as crawler:
        yield crawler


def process(crawler: Crawler, item: Any, images: int = 1) -> Any:
    """Return an item as it leaves the pipeline; so many images are requested."""
    engine = FakeEngine([Response(URL, body=small_image()) for _ in range(images)])
    crawler.engine = engine  # type: ignore[assignment]
    pipeline = ImageStorePipeline.from_crawler(crawler)
    pipeline.open_spider()

    async def run() -> Any:
        try:
            return await pipeline.process_item(item)
        finally:
            await pipeline.close_spider()

    result = asyncio.run(run())
    assert not engine.responses
    return result


class ScrapyItem(Item):
    file_urls, files = Field(), Field()


@dataclass
class DataItem:
    file_urls: list[str]
    files: list[Any] = field(default_factory=list)


@attrs.define
class AttrsItem:
    file_urls: list[str]
    files: list[Any] | None = None


@pytest.mark.parametrize("make", [ScrapyItem, dict, DataItem, AttrsItem])
def test_item_of_any_class_gets_its_files_in_order(crawler: Crawler, make: Any) -> None:
    urls = [URL, "http://example.com/b.jpg", URL]
    item = make(file_urls=urls)
    assert process(crawler, item, images=2) is item
    assert [file["url"] for file in ItemAdapter(item)["files"]] == urls


def test_item_with_an_empty_list_gets_no_files(crawler: Crawler) -> None:
    assert process(crawler, {"file_urls": []}, images=0)["files"] == []


def test_item_without_urls_passes_as_it_is(crawler: Crawler) -> None:
    assert process(crawler, {"title": "t"}, images=0) == {"title": "t"}
    assert process(crawler, ScrapyItem(), images=0) == {}


@pytest.mark.parametrize("urls", [URL, b"http://example.com/a.jpg", (URL,), None, 1])
def test_urls_that_are_no_list_are_refused(crawler: Crawler, urls: Any) -> None:
    with pytest.raises(IncompleteItemError, match="list"):
        process(crawler, {"file_urls": urls}, images=0)


@pytest.mark.parametrize("name", ["image_urls", "file_urls"])
def test_urls_in_a_field_that_no_setting_names_are_refused_with_the_settings(tmp_path: Path, name: str) -> None:
    settings = {} if name == "image_urls" else {"FILES_URLS_FIELD": "image_urls", "FILES_RESULT_FIELD": "images"}
    results = name.replace("_url", "")
    with make_crawler(tmp_path, Plain, **settings) as crawler:
        with pytest.raises(IncompleteItemError) as raised:
            process(crawler, {name: [URL]}, images=0)
        assert f"set FILES_URLS_FIELD to '{name}' and FILES_RESULT_FIELD to '{results}'" in str(raised.value)
        assert process(crawler, {name: []}, images=0) == {name: []}


def test_fields_that_the_settings_name_are_used(tmp_path: Path) -> None:
    names = {"FILES_URLS_FIELD": "image_urls", "FILES_RESULT_FIELD": "images"}
    with make_crawler(tmp_path, Plain, **names) as crawler:
        assert [file["url"] for file in process(crawler, {"image_urls": [URL]})["images"]] == [URL]


def test_item_class_without_a_field_for_the_files_is_refused_before_a_request(crawler: Crawler) -> None:
    class Bare(Item):
        file_urls = Field()

    with pytest.raises(IncompleteItemError, match="Bare has no field 'files'"):
        process(crawler, Bare(file_urls=[URL]), images=0)


@pytest.mark.parametrize(
    ("url", "extension"),
    [
        (URL, ".jpg"),
        ("http://example.com/a.jpeg", ".jpeg"),
        ("http://example.com/a.png", ".png"),
        ("http://example.com/a.webp?size=9", ".webp"),
        ("http://example.com/photo.php?id=1", ""),
        ("http://example.com/image", ""),
    ],
)
def test_path_has_the_extension_that_files_pipeline_gives(crawler: Crawler, url: str, extension: str) -> None:
    [file] = process(crawler, {"file_urls": [url]})["files"]
    assert file["path"] == f"full/{hashlib.sha1(url.encode()).hexdigest()}{extension}"


def test_item_beyond_the_limit_is_left_out_without_a_request(tmp_path: Path) -> None:
    with make_crawler(tmp_path, Plain, {"limit": "1"}) as crawler:
        process(crawler, {"file_urls": [URL]})
        with pytest.raises(EnoughRecordsError):
            process(crawler, {"file_urls": ["http://example.com/b.jpg"]}, images=0)
