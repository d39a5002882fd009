"""What a spider's attributes say about its site and its data set."""

from typing import Any

import pytest
from scrapy import Spider
from scrapy.settings import Settings

from timecoverspider.utils.spider import (
    allowed_domains,
    dataset_folder,
    is_same_site,
    site_of,
    start_hosts,
    start_ports,
)


def spider(**attributes: Any) -> type[Spider]:
    return type("Any", (Spider,), {"name": "any", **attributes})


def test_hosts_and_ports_are_those_of_the_start_urls() -> None:
    urls = ["http://A.example/", "https://a.example:8443/x", "http://b.example:80/", "http://[::1]:8080/", "http://["]
    assert start_hosts(spider(start_urls=urls)) == {"a.example", "b.example", "::1"}
    assert start_hosts(spider(sitemap_urls=urls)) == start_hosts(spider(start_urls=urls))
    assert start_ports(spider(start_urls=urls)) == {("a.example", 8443), ("b.example", 80), ("::1", 8080)}


@pytest.mark.parametrize("urls", [None, [], ["not a URL"], ["http://a.example:99999/"]])
def test_start_urls_without_a_usable_port_have_no_ports(urls: list[str] | None) -> None:
    assert start_ports(spider(start_urls=urls)) == set()


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (None, set()),
        ([], set()),
        (["A.example", None], {"a.example"}),
        (("b.example",), {"b.example"}),
        (
            ["http://A.example/x", "https://b.example:8443", "c.example/x", "d.example:80"],
            {f"{x}.example" for x in "abcd"},
        ),
        (["::1", "fe80::1:2"], {"::1", "fe80::1:2"}),
    ],
)
def test_allowed_domains_are_in_lower_case_and_without_empty_ones(domains: Any, expected: set[str]) -> None:
    assert allowed_domains(spider(allowed_domains=domains)) == expected


def test_site_is_that_of_the_start_urls_or_else_the_allowed_domains() -> None:
    assert site_of(spider(start_urls=["http://a.example/"], allowed_domains=["b.example"])()) == {"a.example"}
    assert site_of(spider(allowed_domains=["b.example"])()) == {"b.example"}
    assert site_of(spider()()) == set()


@pytest.mark.parametrize(
    ("hosts", "others", "same"),
    [
        (["example.com"], ["www.example.com"], True),
        (["www.example.com"], ["shop.example.com"], True),
        (["example.com"], ["badexample.com"], False),
        (["a.example.com"], ["b.example.com"], False),
        (["a.example", "b.example"], ["b.example", "c.example"], True),
        ([], ["a.example"], True),
        (["a.example"], [], True),
    ],
)
def test_sites_are_the_same_if_they_have_a_host_in_common(hosts: list[str], others: list[str], same: bool) -> None:
    assert is_same_site(hosts, others) == is_same_site(others, hosts) == same


def settings(priority: str = "project") -> Settings:
    settings = Settings({"MAIN_SPIDER": "main"})
    settings.set("FILES_STORE", "/output", priority)
    return settings


def test_folder_of_the_main_spider_is_the_store_and_that_of_another_one_is_in_it() -> None:
    assert dataset_folder(settings(), "main") == "/output"
    assert dataset_folder(settings(), "books-2_b") == "/output/books-2_b"


@pytest.mark.parametrize("priority", ["spider", "cmdline"])
def test_folder_that_the_spider_or_the_command_line_names_is_used_for_any_spider(priority: str) -> None:
    for name in ("main", "books", "full", "../up"):
        assert dataset_folder(settings(priority), name) == "/output"


@pytest.mark.parametrize(
    "name",
    [
        "full", "Full", "gallery", "unknown", "rejected", "thumbnails", "averages", "exports", "", ".", "..", "../up",
        "a/b", ".hidden", "-o", "with space", "catalog.db", "ä", "x" * 101, "a\n",
    ],
)  # fmt: skip
def test_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a folder"):
        dataset_folder(settings(), name)
