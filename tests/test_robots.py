"""What robots.txt forbids is not asked for, not even once."""

import gzip
from pathlib import Path

import pytest
from aiohttp import web
from conftest import DAYS, Handler, Site, closing, records

from timecoverspider.replica.pages import cover_url, image_url


@pytest.mark.parametrize("latency", [0, 0.05])
@pytest.mark.parametrize("host", ["content.time.com", "img.timeinc.net"])
def test_what_a_host_forbids_is_not_asked_for(tmp_path: Path, host: str, latency: float) -> None:
    site = Site(DAYS, latency)
    site.instead[f"http://{host}/robots.txt"] = "User-agent: *\nDisallow: /"
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert "Forbidden by robots.txt" in closing(done)
    assert not site.asked_of(host)


def test_the_rest_is_asked_for(tmp_path: Path) -> None:
    site = Site(DAYS, latency=0.05)
    path = cover_url(DAYS[2]).removeprefix("http://content.time.com")
    site.instead["http://content.time.com/robots.txt"] = f"User-agent: *\nDisallow: {path}\n"
    site.instead["http://img.timeinc.net/robots.txt"] = 404
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert sorted(site.asked_of("content.time.com")) == sorted(cover_url(day) for day in DAYS if day != DAYS[2])
    assert image_url(DAYS[3]) in site.asked
    assert len(records(tmp_path)) == 39


async def _cut(request: web.Request) -> web.StreamResponse:
    body = gzip.compress(b"User-agent: *\nDisallow: /time/covers/\n")
    return web.Response(body=body[:-12], headers={"Content-Encoding": "gzip"})


async def _redirect(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://elsewhere.example/robots.txt"})


@pytest.mark.parametrize(("answer", "said"), [(503, "HTTP 503"), (_cut, "stream is broken"), (_redirect, "refused: ")])
def test_where_it_cannot_be_read_nothing_is_asked_for(tmp_path: Path, answer: int | Handler, said: str) -> None:
    site = Site(DAYS)
    robots = "http://content.time.com/robots.txt"
    site.instead[robots] = answer
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    [line] = [line for line in done.stderr.splitlines() if f"Nothing may be asked for where <{robots}>" in line]
    assert said in line
    assert not site.asked_of("content.time.com")
    assert "Traceback" not in done.stderr
