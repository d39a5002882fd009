"""Which requests an archive answers, and which are live."""

from collections.abc import Collection
from pathlib import Path

import pytest
from aiohttp import web
from data_set import feed
from downloading import crawl, download
from mock_archive import DAYS, MockArchive, redirect
from scrapy.http import Request, Response
from scrapy.settings import Settings
from serving import serving

from timecoverspider.addons import ArchiveAddon
from timecoverspider.archives import find_archive, is_archived, stands_in_for
from timecoverspider.archives.base import Archive
from timecoverspider.replica.pages import HOSTS, cover_url, image_url
from timecoverspider.spiders.coverspider import CoverSpider

COVER = cover_url(DAYS[0])
ROBOTS = [f"http://{host}/robots.txt" for host in HOSTS]


async def _show(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.raw_path)


@pytest.fixture
def elsewhere() -> web.Application:
    """A server that shows the path of a request: a complete URL if the server was taken for a proxy."""
    app = web.Application()
    app.router.add_get("/{path:.*}", _show)
    return app


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


REPLICA = {"ARCHIVE": "replica"}


@pytest.mark.parametrize("url", [COVER, image_url(DAYS[0]), *ROBOTS])
def test_replica_answers_for_its_hosts_whatever_the_proxies(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "time.com")
    assert download(url, REPLICA).status == 200
    assert download(url, {**REPLICA, "HTTPPROXY_ENABLED": False}).status == 200
    assert download(url, REPLICA, proxy="http://127.0.0.1:9").status == 200


def test_other_hosts_are_live_beside_the_replica(elsewhere: web.Application) -> None:
    with serving(elsewhere) as address:
        results, _ = crawl(Request(f"{address}/a"), Request(COVER), **REPLICA)
    assert results[f"{address}/a"].body == b"/a"
    assert "<h1>" in results[COVER].text


@pytest.mark.parametrize("archive", ["live", "replica"])
def test_other_hosts_are_behind_the_users_proxy(
    monkeypatch: pytest.MonkeyPatch, elsewhere: web.Application, archive: str
) -> None:
    url = "http://elsewhere.example/a"
    with serving(elsewhere) as proxy:
        assert download(url, {"ARCHIVE": archive}, proxy=proxy).text == url  # a spider's own
        monkeypatch.setenv("http_proxy", proxy)
        assert download(url, {"ARCHIVE": archive}).text == url


def test_live_stands_in_for_no_host(elsewhere: web.Application) -> None:
    with serving(elsewhere) as proxy:
        assert download(COVER, {"ARCHIVE": "live"}, proxy=proxy).text == COVER


def test_robots_txt_comes_from_the_archive_too() -> None:
    results, crawler = crawl(
        Request(COVER), Request("http://search.time.com/search/advanced.html"), **REPLICA, ROBOTSTXT_OBEY=True
    )
    assert results[COVER].status == 200
    assert str(results["http://search.time.com/search/advanced.html"]) == "Forbidden by robots.txt"
    assert crawler.stats.get_value("robotstxt/forbidden") == 1


class _Redirecting(Archive):
    """A proxy, the one in the setting PROXY."""

    name = "redirecting"
    description = "one that redirects"

    @classmethod
    def hosts(cls) -> Collection[str]:
        return HOSTS

    async def process_request(self, request: Request) -> None:
        request.meta["proxy"] = self.crawler.settings["PROXY"]


def test_proxy_of_an_archive_is_not_used_after_a_redirect_to_another_host(elsewhere: web.Application) -> None:
    with serving(elsewhere) as address:
        app = web.Application()
        app.router.add_get("/{path:.*}", redirect(f"{address}/a"))
        with serving(app) as proxy:
            results, _ = crawl(Request(COVER), ARCHIVE="redirecting", PROXY=proxy)
    assert results[COVER].body == b"/a"


class _Rewriting(Archive):
    """An archive whose URLs differ from the site's, as base.Archive describes it."""

    name = "rewriting"
    description = "one that rewrites URLs"

    @classmethod
    def hosts(cls) -> Collection[str]:
        return HOSTS

    async def process_request(self, request: Request) -> Response | None:
        meta = {"allow_offsite": True, "dont_obey_robotstxt": True, "dont_redirect": True}
        url = f"{self.crawler.settings['CAPTURES']}/web/2014id_/{request.url}"
        capture = await self.crawler.engine.download_async(Request(url, meta=meta))
        return capture.replace(url=request.url, request=request)


def test_archive_that_rewrites_urls_answers_under_the_urls_of_the_site() -> None:
    requested: list[str] = []

    async def capture(request: web.Request) -> web.StreamResponse:
        requested.append(request.raw_path)
        if requested.count(request.raw_path) == 1 and request.path.endswith(".jpg"):
            return web.Response(status=503)
        if request.path.endswith("robots.txt"):
            return web.Response(text="User-agent: *\nDisallow: /forbidden")
        return web.Response(text=request.path, content_type="text/html")

    forbidden = "http://content.time.com/forbidden"
    app = web.Application()
    app.router.add_get("/{path:.*}", capture)
    with serving(app) as address:
        settings = {"ARCHIVE": "rewriting", "CAPTURES": address, "ROBOTSTXT_OBEY": True, "RETRY_TIMES": 1}
        urls = [COVER, image_url(DAYS[0]), forbidden]
        results, _ = crawl(*map(Request, urls), DATASET_ENABLED=False, **settings)
    assert [results[url].url for url in urls[:2]] == urls[:2]
    assert [results[url].request.url for url in urls[:2]] == urls[:2]
    assert str(results[forbidden]) == "Forbidden by robots.txt"
    assert sorted(requested) == sorted(f"/web/2014id_/{url}" for url in [*urls[:2], urls[1], *ROBOTS[1:]])


@pytest.mark.parametrize(
    ("name", "hosts", "stands_in"),
    [
        ("replica", HOSTS, True),
        ("replica", HOSTS[:1], True),
        ("replica", [*HOSTS, "example.com"], False),
        ("replica", [f"www.{HOSTS[0]}"], False),
        ("replica", [], False),
        ("live", HOSTS, False),
        ("live", [], False),
    ],
)
def test_archive_stands_in_for_a_spider_if_it_has_all_its_hosts(name: str, hosts: list[str], stands_in: bool) -> None:
    assert stands_in_for(name, hosts) == stands_in
    assert is_archived(hosts) == (bool(hosts) and set(hosts) <= set(HOSTS))  # also if the crawl is live


def test_every_archive_has_a_name_and_a_description() -> None:
    for name in ("live", "replica"):
        assert find_archive(name).name == name
        assert find_archive(name).description
    with pytest.raises(ValueError, match=r"live.*replica.*'Live'"):
        find_archive("Live")


@pytest.mark.parametrize(("archive", "delay"), [("live", 1.0), ("replica", 0)])
def test_archive_sets_its_delay_and_the_command_line_overrides_it(archive: str, delay: float) -> None:
    settings = Settings({"ARCHIVE": archive})
    ArchiveAddon(CoverSpider).update_settings(settings)
    assert settings.getfloat("DOWNLOAD_DELAY") == delay
    settings = Settings({"ARCHIVE": archive})
    settings.set("DOWNLOAD_DELAY", 3, priority="cmdline")
    ArchiveAddon(CoverSpider).update_settings(settings)
    assert settings.getint("DOWNLOAD_DELAY") == 3


STOCK = "scrapy.core.downloader.handlers._aiohttp.AiohttpDownloadHandler"


@pytest.mark.parametrize(
    "setting", ["TWISTED_REACTOR_ENABLED=True", f'DOWNLOAD_HANDLERS={{"http": "{STOCK}", "https": "{STOCK}"}}']
)
def test_crawl_over_another_download_handler_gives_the_same_feed(filled: Path, tmp_path: Path, setting: str) -> None:
    done = MockArchive().crawl(tmp_path, "-s", setting)
    assert done.returncode == 0, done.stderr
    assert feed(tmp_path) == feed(filled)
    assert "Traceback" not in done.stderr
