"""A data set is opened only for its own spider and its own site."""

from pathlib import Path
from typing import Any

import pytest
from components import make_crawler
from scrapy import Spider
from scrapy.spiders import SitemapSpider

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exceptions import UsageError


def open_as(folder: Path, name: str = "any", base: type[Spider] = Spider, **attributes: Any) -> list[str]:
    """Open the data set with a spider, and return the hosts that it remembers."""
    with make_crawler(folder, type("Any", (base,), {"name": name, **attributes})):
        pass
    with Dataset(folder / "output") as dataset:
        assert dataset.catalog.spider == name
        return dataset.catalog.hosts


A, B = ["http://a.example/"], ["http://b.example/"]


def test_data_set_remembers_the_hosts_of_its_spider(tmp_path: Path) -> None:
    assert open_as(tmp_path, start_urls=[*A, "http://www.a.example/x"]) == ["a.example", "www.a.example"]


def test_another_site_under_the_same_name_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    open_as(tmp_path, start_urls=A)
    with pytest.raises(UsageError, match=r"has records of a\.example, and the spider 'any' now starts at b\.example"):
        open_as(tmp_path, start_urls=B)
    assert open_as(tmp_path, start_urls=A) == ["a.example"]  # and the lock is free


def test_another_spider_is_refused(tmp_path: Path) -> None:
    open_as(tmp_path, start_urls=A)
    with pytest.raises(UsageError, match="belongs to the spider 'any', not to 'other'"):
        open_as(tmp_path, "other", start_urls=A)


@pytest.mark.parametrize("urls", [["http://www.a.example/"], ["https://a.example/"], [*A, *B]])
def test_site_that_moved_in_part_is_the_same_site(tmp_path: Path, urls: list[str]) -> None:
    open_as(tmp_path, start_urls=A)
    open_as(tmp_path, start_urls=urls)


def test_site_that_moved_step_by_step_is_the_same_site(tmp_path: Path) -> None:
    open_as(tmp_path, start_urls=A)
    open_as(tmp_path, start_urls=[*A, *B])
    assert open_as(tmp_path, start_urls=B) == ["a.example", "b.example"]


def test_spider_without_start_urls_is_known_by_its_allowed_domains(tmp_path: Path) -> None:
    open_as(tmp_path, allowed_domains=["a.example"])
    with pytest.raises(UsageError):
        open_as(tmp_path, allowed_domains=["b.example"])


def test_sitemap_spider_of_another_site_is_refused(tmp_path: Path) -> None:
    open_as(tmp_path, base=SitemapSpider, sitemap_urls=["http://a.example/sitemap.xml"])
    with pytest.raises(UsageError):
        open_as(tmp_path, base=SitemapSpider, sitemap_urls=["http://b.example/sitemap.xml"])


def test_spider_that_names_no_host_is_not_compared(tmp_path: Path) -> None:
    assert open_as(tmp_path) == []
    assert open_as(tmp_path, start_urls=A) == ["a.example"]
    assert open_as(tmp_path) == ["a.example"]


def test_fields_of_the_settings_are_those_of_the_data_set(tmp_path: Path) -> None:
    names = {"FILES_URLS_FIELD": "image_urls", "FILES_RESULT_FIELD": "images"}
    with make_crawler(tmp_path, type("Any", (Spider,), {"name": "any"}), **names):
        pass
    with Dataset(tmp_path / "output") as dataset:
        assert (dataset.catalog.fields.urls, dataset.catalog.fields.files) == ("image_urls", "images")
