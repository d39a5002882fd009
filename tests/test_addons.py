"""Which archive, which pace and which folder a spider gets."""

from typing import Any

import pytest
from scrapy import Spider
from scrapy.settings import BaseSettings, Settings
from scrapy.utils.spider import DefaultSpider

from timecoverspider.addons import ArchiveAddon
from timecoverspider.exceptions import UsageError
from timecoverspider.replica.pages import HOSTS
from timecoverspider.spiders.bookspider import BookSpider
from timecoverspider.spiders.coverspider import CoverSpider


def updated(spider: type[Spider], *changes: tuple[str, Any, str]) -> BaseSettings:
    settings = Settings()
    settings.setmodule("timecoverspider.settings", priority="project")
    settings.set("FILES_STORE", "/output", priority="project")
    for change in changes:
        settings.set(*change)
    ArchiveAddon(spider).update_settings(settings)
    return settings


def of(**attributes: Any) -> type[Spider]:
    return type("Any", (Spider,), {"name": "any", **attributes})


@pytest.mark.parametrize(
    ("spider", "archive"),
    [
        (CoverSpider, "replica"),
        (of(start_urls=[f"http://{HOSTS[0]}/"]), "replica"),
        (of(allowed_domains=list(HOSTS)), "replica"),
        (BookSpider, "live"),
        (of(start_urls=[f"http://{HOSTS[0]}/", "http://example.com/"]), "live"),
        (of(start_urls=[f"http://{HOSTS[0]}/"], allowed_domains=["time.com"]), "live"),
        (of(), "live"),
        (DefaultSpider, "replica"),  # the shell's, which has no hosts
    ],
)
def test_spider_is_crawled_from_the_archive_if_it_stands_in_for_all_its_hosts(
    spider: type[Spider], archive: str
) -> None:
    assert updated(spider)["ARCHIVE"] == archive


def test_pace_is_that_of_the_archive_and_can_be_overridden() -> None:
    names = ["DOWNLOAD_DELAY", "AUTOTHROTTLE_ENABLED", "CONCURRENT_REQUESTS_PER_DOMAIN"]
    assert [updated(CoverSpider).get(name) for name in names] == [0, False, 8]
    assert [updated(BookSpider).get(name) for name in names] == [1.0, True, 2]
    assert updated(BookSpider, ("DOWNLOAD_DELAY", 3, "spider"))["DOWNLOAD_DELAY"] == 3
    assert updated(BookSpider, ("ARCHIVE", "replica", "cmdline"))["DOWNLOAD_DELAY"] == 1.0


def test_folder_of_a_crawl_is_that_of_the_spider() -> None:
    use = ("DATASET_ENABLED", True, "command")
    assert updated(CoverSpider, use)["FILES_STORE"] == "/output"
    assert updated(BookSpider, use)["FILES_STORE"] == "/output/books"
    assert updated(BookSpider, use, ("FILES_STORE", "/mine", "spider"))["FILES_STORE"] == "/mine"
    assert updated(BookSpider)["FILES_STORE"] == "/output"  # a command without a data set


def test_name_that_cannot_be_a_folder_is_wrong_usage_in_a_crawl_alone() -> None:
    spider = of(start_urls=["http://example.com/"])
    spider.name = "gallery"
    updated(spider)
    with pytest.raises(UsageError, match="'gallery'"):
        updated(spider, ("DATASET_ENABLED", True, "command"))


@pytest.mark.parametrize(("name", "value"), [("ARCHIVE", "liv"), ("RETRY_TIMES", "many")])
def test_invalid_setting_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        ArchiveAddon.update_pre_crawler_settings(Settings({"ARCHIVE": "live", name: value}))
    assert raised.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert name in line
