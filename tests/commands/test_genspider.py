"""``scrapy genspider -t covers`` writes a spider that runs at once."""

from pathlib import Path

import pytest
from book_site import URL, BookSite
from own_project import OwnProject
from scrapy_command import last_line

from timecoverspider import settings


@pytest.fixture
def project(tmp_path: Path) -> OwnProject:
    return OwnProject(tmp_path, NEWSPIDER_MODULE="own_spiders")


def test_list_of_templates_has_those_of_scrapy_and_the_projects(project: OwnProject) -> None:
    done = project.scrapy("genspider", "--list")
    assert done.returncode == 0
    assert {"basic", "crawl", "csvfeed", "xmlfeed", "covers"} <= set(done.stdout.split())


def test_template_of_scrapy_is_used_if_it_is_named(project: OwnProject) -> None:
    assert project.scrapy("genspider", "-t", "crawl", "rules", "example.com").returncode == 0
    assert "CrawlSpider" in (project.spiders / "rules.py").read_text()


def test_generated_spider_is_short_and_crawls_and_is_checked_at_once(project: OwnProject) -> None:
    done = project.scrapy("genspider", "-t", "covers", "shop", URL)
    assert done.returncode == 0, done.stderr
    assert len((project.spiders / "shop.py").read_text().splitlines()) <= 25
    site = BookSite(25)
    done = project.crawl("shop", site)
    assert done.returncode == 0, done.stderr
    assert "25 records in shop.json, 25 images in output/shop/full" in last_line(done)
    assert {record["title"] for record in project.records("shop")} == {f"Book number {n}" for n in range(1, 26)}
    done = project.crawl("shop", site)
    assert done.returncode == 0, done.stderr
    assert site.requested() == [URL, f"{URL}catalogue/page-2.html"]
    done = project.served(site, "check", "shop")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "OK"
    assert site.requested() == [URL]


def test_generated_spider_whose_selectors_match_no_image_stores_nothing(project: OwnProject) -> None:
    assert project.scrapy("genspider", "-t", "covers", "shop", URL).returncode == 0
    spider = project.spiders / "shop.py"
    source = spider.read_text()
    spider.write_text(source.replace("#product_gallery", "#gallery"))
    site = BookSite(12)
    assert project.crawl("shop", site).returncode == 4
    assert project.records("shop") == []
    spider.write_text(source)
    done = project.crawl("shop", site)
    assert done.returncode == 0, done.stderr
    assert len(project.records("shop")) == 12


def test_new_spiders_are_written_to_a_module_that_crawl_reads() -> None:
    assert settings.NEWSPIDER_MODULE in settings.SPIDER_MODULES
