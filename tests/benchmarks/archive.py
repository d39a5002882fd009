"""The server of the benchmark: the replica in a process of its own, with images that are drawn beforehand.

The images are a few of the replica's covers with the sizes of real covers (see images.py), or of 1 KB with ``--tiny``.
The server prints one line of JSON, with its address and the versions of its libraries, and ends when its standard input
is closed. With ``--list`` the program prints all URLs of the archive, for clients that do not follow links.
"""

import argparse
import asyncio
import gzip
import json
import sys
import time
from asyncio import Semaphore
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from io import BytesIO
from zlib import crc32

import uvloop
from aiohttp import ETag, web
from images import draw_grainy_cover
from PIL import Image

from timecoverspider.replica import pages
from timecoverspider.replica.app import make_app, serve
from timecoverspider.replica.issues import issue_dates

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOSTS = (pages.SEARCH, pages.CONTENT, pages.IMAGES)
POOL = 16  # images: drawn in less than a second, and with 1 MB small enough to stay in the processor's cache
STORED_PAGES = 20_000  # all of the archive's own 4,763 issues; those of a larger archive are rendered each time
LATE = 0.0005  # seconds by which uvloop's timers, which count milliseconds, end too late on average
MODIFIED = datetime(2014, 3, 10, tzinfo=UTC)


class Meter:
    """Counts requests, and limits how many of each host are answered at a time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, latency: float = 0, in_flight: int = 0) -> None:
        """Count from 0; *in_flight* is the limit for each host, and 0 is no limit."""
        self._latency = latency
        self._gates = {host: Semaphore(in_flight) for host in HOSTS} if in_flight else {}
        self._first: float | None = None
        self._requests: Counter[str] = Counter()
        self._flying: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    def counters(self) -> dict[str, object]:
        return {"first": self._first, "requests": self._requests, "most": self._most}

    async def measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request after the latency, when the limit of its host allows."""
        host = request.host
        if self._first is None:
            self._first = time.monotonic()
        self._requests[host] += 1
        self._flying[host] += 1
        self._most[host] = max(self._most[host], self._flying[host])
        try:
            if gate := self._gates.get(host):
                async with gate:
                    return await self._late(request, handler)
            return await self._late(request, handler)
        finally:
            self._flying[host] -= 1

    async def _late(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer when the latency is over; the time to make the answer counts."""
        started = time.monotonic()
        response = await handler(request)
        if self._latency:
            await asyncio.sleep(started + self._latency - LATE - time.monotonic())
        return response


def _tiny_image() -> bytes:
    """Return a valid JPEG of about 1 KB, most of it a comment."""
    file = BytesIO()
    Image.new("L", (16, 21), 128).save(file, "JPEG", comment=b"A small cover for a large archive. " * 20)
    return file.getvalue()


class Images:
    """A few images, one of which each image URL gives."""

    def __init__(self, days: Sequence[date], tiny: bool) -> None:
        self._known = frozenset(pages.image_url(day).partition(pages.IMAGES)[2] for day in days)
        step = max(len(days) // POOL, 1)
        drawn = [_tiny_image()] if tiny else [draw_grainy_cover(day) for day in days[::step]]
        self._pool = [(body, ETag(f"{crc32(body):08x}")) for body in drawn]

    def answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path not in self._known:
            raise web.HTTPNotFound
        body, etag = self._pool[crc32(path.encode()) % len(self._pool)]
        if request.if_none_match is not None:
            current = any(tag.value in (etag.value, "*") for tag in request.if_none_match)
        else:
            since = request.if_modified_since
            current = since is not None and since >= MODIFIED
        response = web.Response(status=304) if current else web.Response(body=body, content_type="image/jpeg")
        response.etag, response.last_modified = etag, MODIFIED
        return response


class Pages:
    """The replica's pages, rendered and compressed once."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, str, bool], tuple[bytes, dict[str, str]]] = {}

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        key = (request.host, request.path_qs, zipped)
        if stored := self._stored.get(key):
            return web.Response(body=stored[0], headers=stored[1])
        response = await handler(request)
        if not isinstance(response, web.Response) or not isinstance(response.body, bytes) or response.status != 200:
            return response
        body, headers = response.body, dict(response.headers)
        headers.pop("Content-Length", None)
        if zipped:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        if len(self._stored) < STORED_PAGES:
            self._stored[key] = body, headers
        return web.Response(body=body, headers=headers)


def benchmark_app(days: Sequence[date], tiny: bool) -> web.Application:
    """Return the replica behind a meter, which ``/benchmark/counters`` reads and ``/benchmark/reset`` sets to 0."""
    meter, images, stored = Meter(), Images(days, tiny), Pages()

    async def content(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host == pages.IMAGES and request.path != "/robots.txt":
            return images.answer(request)
        return await stored.answer(request, handler)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host in HOSTS:
            return await meter.measured(request, lambda request: content(request, handler))
        if request.path == "/benchmark/reset":
            meter.reset(float(request.query["latency"]), int(request.query["in_flight"]))
        elif request.path != "/benchmark/counters":
            raise web.HTTPNotFound
        return web.json_response(meter.counters())

    app = make_app(days)
    app.middlewares.append(answer)
    return app


def urls(days: Sequence[date]) -> list[str]:
    """Return the URLs of all pages and images, in the order in which a crawl meets them."""
    found = [f"http://{pages.SEARCH}/results.html?N=46&Ns=p_date_range|1"]
    for offset in range(0, len(days), pages.PAGE_SIZE):
        found.append(pages.listing_url(offset=offset))
        for day in days[offset : offset + pages.PAGE_SIZE]:
            found += [pages.cover_url(day), pages.image_url(day)]
    return found


async def _serve(days: Sequence[date], tiny: bool) -> None:
    async with serve(benchmark_app(days, tiny)) as address:
        versions = {name: version(name) for name in ("Scrapy", "Pillow")}
        sys.stdout.write(json.dumps({"address": address, "versions": versions}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)  # until the parent closes it or ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int)
    parser.add_argument("--tiny", action="store_true", help="images of 1 KB")
    parser.add_argument("--list", action="store_true", help="print all URLs, and serve nothing")
    options = parser.parse_args()
    days = issue_dates(options.issues)
    if options.list:
        sys.stdout.write("".join(f"{url}\n" for url in urls(days)))
    else:
        uvloop.run(_serve(days, options.tiny))


if __name__ == "__main__":
    main()
