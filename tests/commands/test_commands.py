"""The commands beside the crawl answer offline, from the replica."""

import socket
from pathlib import Path

import pytest
from aiohttp import web
from scrapy_command import FULL_SPEED, SPIDER, Run
from serving import serving


def test_live_archive_is_throttled_unless_a_setting_overrides_it(scrapy: Run) -> None:
    names = ["DOWNLOAD_DELAY", "AUTOTHROTTLE_ENABLED", "CONCURRENT_REQUESTS_PER_DOMAIN"]
    code = "[" + ", ".join(f"settings.get({name!r})" for name in names) + "]"

    def shown(*arguments: str) -> str:
        done = scrapy("shell", "--nolog", "-c", code, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert shown() == "[0, False, 8]"
    assert shown("-s", "ARCHIVE=live") == "[1.0, True, 2]"
    changes = ["-s", "DOWNLOAD_DELAY=3", "-s", "AUTOTHROTTLE_ENABLED=0", "-s", "CONCURRENT_REQUESTS_PER_DOMAIN=1"]
    assert shown("-s", "ARCHIVE=live", *changes) == "['3', '0', '1']"


@pytest.mark.parametrize(
    "arguments", [["crawl", SPIDER], ["shell", "-c", "1"], ["fetch", "http://search.time.com/"], ["check"]]
)
def test_unknown_archive_is_one_line(scrapy: Run, arguments: list[str]) -> None:
    done = scrapy(*arguments, "-s", "ARCHIVE=liv")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "ARCHIVE" in line
    assert "'liv'" in line


def test_replica_is_requested_whatever_proxy_the_environment_names(scrapy: Run) -> None:
    done = scrapy(
        "fetch", "--nolog", "http://search.time.com/robots.txt", http_proxy="http://127.0.0.1:9", no_proxy="*"
    )
    assert done.stdout.startswith("User-agent: *")


def test_check_passes_the_contracts_of_the_spider(scrapy: Run) -> None:
    done = scrapy("check")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "OK"
    assert scrapy("check", "--list").stdout.split()[2::2] == ["parse", "parse_covers", "parse_page"]


def test_parse_shows_the_record_of_a_cover(scrapy: Run) -> None:
    url = "http://content.time.com/time/covers/0,16641,20140310,00.html"
    done = scrapy("parse", "--nolog", "--nocolour", "--callback=parse_covers", url)
    assert "'title': 'Code Red'" in done.stdout


def test_view_opens_the_page_in_a_browser(scrapy: Run, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n')
    browser.chmod(0o755)
    done = scrapy("view", "http://content.time.com/time/covers/0,16641,20140310,00.html", BROWSER=str(browser))
    assert done.returncode == 0, done.stderr
    page = Path((tmp_path / "opened").read_text().strip().removeprefix("file://"))
    assert "Code Red" in page.read_text()


def test_shell_opens_a_local_file(scrapy: Run, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<title>Saved</title>")
    assert (
        scrapy("shell", "--nolog", "./page.html", "-c", "response.css('title::text').get()").stdout.strip() == "Saved"
    )


def test_fetch_that_fails_is_one_line_with_the_reason(scrapy: Run) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        settings = ("-s", "ARCHIVE=live", "-s", "RETRY_TIMES=0", "-s", "ROBOTSTXT_OBEY=0")
        done = scrapy("fetch", *settings, address)
    [line] = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert address in line
    assert "connect" in line
    assert "Traceback" not in done.stderr


def test_shell_requests_a_host_that_is_not_the_archives(scrapy: Run) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<title>Elsewhere</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    with serving(app) as address:
        code = f"fetch({address!r}) or response.css('title::text').get()"
        done = scrapy("shell", "--nolog", *FULL_SPEED, address, "-c", code)
    assert done.stdout.strip() == "Elsewhere", done.stderr


def test_parse_warns_of_nothing(scrapy: Run) -> None:
    done = scrapy("parse", "--callback=parse_covers", "http://content.time.com/time/covers/0,16641,20140310,00.html")
    assert "Code Red" in done.stdout
    assert "WARNING" not in done.stderr


def test_shell_says_that_a_host_is_not_the_archives_if_it_cannot_be_reached(scrapy: Run) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        done = scrapy("shell", "-s", "RETRY_TIMES=0", address, "-c", "response")
    [line] = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert "127.0.0.1 is not a host of the archive" in line
    assert "Traceback" not in done.stderr
