"""Which hosts and ports a spider of any site may request."""

from pathlib import Path
from typing import Any

import pytest
from components import make_crawler
from scrapy import Spider
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

from timecoverspider.downloadermiddlewares.offsite import StrictOffsiteMiddleware, is_private


def passes(folder: Path, url: str, **attributes: Any) -> bool:
    """Return whether a request passes for a spider with these attributes."""
    spider = type("Any", (Spider,), {"name": "any", **attributes})
    with make_crawler(folder / str(len(list(folder.iterdir()))), spider) as crawler:  # each has a data set of its own
        middleware = StrictOffsiteMiddleware.from_crawler(crawler)
        try:
            middleware.process_request(Request(url))
        except IgnoreRequest:
            assert crawler.stats.get_value("offsite/filtered") == 1
            return False
        assert crawler.stats.get_value("offsite/filtered") is None
        return True


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://example.com/", True),
        ("https://EXAMPLE.com/", True),
        ("http://www.example.com/", True),
        ("http://a.b.example.com./", True),
        ("http://badexample.com/", False),
        ("http://example.com.evil.example/", False),
        ("http://com/", False),
        ("http://127.0.0.1/", False),
    ],
)
def test_host_must_be_an_allowed_domain_or_a_subdomain(tmp_path: Path, url: str, is_allowed: bool) -> None:
    assert passes(tmp_path, url, allowed_domains=["Example.com"]) == is_allowed


@pytest.mark.parametrize("host", ["search.time.com", "content.time.com"])
def test_subdomains_of_the_archives_hosts_are_refused(tmp_path: Path, host: str) -> None:
    assert passes(tmp_path, f"http://{host}/", allowed_domains=[host])
    assert not passes(tmp_path, f"http://sub.{host}/", allowed_domains=[host])
    assert passes(tmp_path, f"http://sub.{host}/", allowed_domains=[host, "example.com"])  # live: Scrapy's meaning


@pytest.mark.parametrize("url", ["http://example.com/", "https://img.elsewhere.example/a.jpg", "http://8.8.8.8/"])
def test_public_host_passes_without_allowed_domains(tmp_path: Path, url: str) -> None:
    assert passes(tmp_path, url, start_urls=["http://start.example/"])


PRIVATE = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "sub.localhost",
    "printer.local",
    "metadata.google.internal",
    "router.home.arpa",
    "intranet",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "2130706433",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "[::1]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_host_is_refused_unless_the_spider_names_it(tmp_path: Path, host: str) -> None:
    url = f"http://{host}/a.jpg"
    assert not passes(tmp_path, url, start_urls=["http://start.example/"])
    named = Request(url).url.removesuffix("/a.jpg").rstrip(".").lower()
    assert passes(tmp_path, url, start_urls=[named])
    assert passes(tmp_path, url, allowed_domains=[named.removeprefix("http://").strip("[]")])


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "2606:4700::1111", "localhost.example.com", "local.dev"])
def test_public_host_is_not_taken_for_a_private_one(host: str) -> None:
    assert not is_private(host)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://example.com:80/", True),
        ("https://example.com:443/", True),
        ("http://example.com:8080/", True),  # of a start URL
        ("https://example.com:8080/", True),
        ("http://other.example:8080/", False),
        ("http://example.com:22/", False),
        ("http://example.com:443/", False),
    ],
)
def test_port_must_be_the_default_or_that_of_a_start_url(tmp_path: Path, url: str, is_allowed: bool) -> None:
    assert passes(tmp_path, url, start_urls=["http://example.com:8080/"]) == is_allowed


def test_domain_to_add_is_named(tmp_path: Path) -> None:
    spider = type("Any", (Spider,), {"name": "any", "allowed_domains": ["example.com"]})
    with make_crawler(tmp_path, spider) as crawler, pytest.raises(IgnoreRequest) as raised:
        StrictOffsiteMiddleware.from_crawler(crawler).process_request(Request("http://img.example.net/a.jpg"))
    assert str(raised.value) == (
        "refused: http://img.example.net/a.jpg is offsite: img.example.net is not in allowed_domains"
    )
