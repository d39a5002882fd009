"""The replica as an HTTP/1.1 server on loopback. It answers requests for three hosts, like a forward proxy."""

import asyncio
import logging
import re
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from hashlib import sha256

import PIL
from aiohttp import ETag, web
from aiohttp.http import HttpProcessingError

from timecoverspider.replica import pages
from timecoverspider.replica.faults import Faults
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates

_COVER = re.compile(r"/time/covers/0,16641,(\d{4})(\d\d)(\d\d),00\.html", re.ASCII)
_IMAGE = re.compile(r"/time/magazine/archive/covers/(\d{4})/1101\d\d(\d\d)(\d\d)_\d00\.jpg", re.ASCII)
_OFFSET = re.compile(r"\d{1,9}", re.ASCII)
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)  # "gzip;q=0" refuses gzip
_RANGE = re.compile(r"p_date_range\|BTWN (\d{4})(\d\d)(\d\d) (\d{4})(\d\d)(\d\d)", re.ASCII)
_logger = logging.getLogger(__name__)
_logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
_HELP = """\
This is the replica of the TIME cover archive. It replaces {hosts}.
Use it as a proxy, for example:

http_proxy=http://{address} curl "http://search.time.com/results.html?N=46&Ns=p_date_range|1"
"""


def _date(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise web.HTTPNotFound from None


class _Archive:
    """Answers requests for an archive with issues on the given dates, newest first."""

    def __init__(self, days: Sequence[date]) -> None:
        self._days = days
        self._oldest_first = days[::-1]
        self._known = frozenset(days)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        match request.host.partition(":")[0].lower():
            case pages.SEARCH | pages.CONTENT | pages.IMAGES if request.path == "/robots.txt":
                return web.Response(text=pages.ROBOTS_TXT)
            case pages.SEARCH:
                return self._listing(request)
            case pages.CONTENT:
                day = self._issue(_COVER, request.path)
                return _page(request, pages.cover_page(day), day)
            case pages.IMAGES:
                return await self._image(request)
        # Without a transport, the client has gone.
        host, port, *_ = request.transport.get_extra_info("sockname") if request.transport else ("127.0.0.1", 0)
        raise web.HTTPNotFound(text=_HELP.format(hosts=", ".join(pages.HOSTS), address=f"{host}:{port}"))

    def _listing(self, request: web.Request) -> web.Response:
        edition, offset = request.query.get("N", ""), request.query.get("No", "0")
        if request.path != "/results.html" or not edition or not _OFFSET.fullmatch(offset):
            raise web.HTTPNotFound
        updated = self._days[0] if self._days else date.min
        if edition == "46":
            return _page(request, pages.index_page(len(self._days)), updated)
        days, between = self._days if edition == pages.US_EDITION else [], None
        if requested := _RANGE.fullmatch(request.query.get("Nf", "")):
            between = _date(*requested.groups()[:3]), _date(*requested.groups()[3:])
            days = self._between(*between)
        return _page(request, pages.listing_page(days, edition, int(offset), between), updated)

    def _between(self, first: date, last: date) -> Sequence[date]:
        start, stop = bisect_left(self._oldest_first, first), bisect_right(self._oldest_first, last)
        return self._oldest_first[start:stop][::-1]

    def _issue(self, pattern: re.Pattern[str], path: str) -> date:
        found = pattern.fullmatch(path)
        day = _date(*found.groups()) if found else None
        if day is None or day not in self._known:
            raise web.HTTPNotFound
        return day

    async def _image(self, request: web.Request) -> web.Response:
        day = self._issue(_IMAGE, request.path)
        if not pages.image_url(day).endswith(request.path):
            raise web.HTTPNotFound  # the archive has each image in one size only
        # The bytes depend only on the URL and on the version of Pillow.
        etag = _digest(f"{request.path} {PIL.__version__}".encode())
        if not_modified := _not_modified(request, etag, day):
            return not_modified
        image = draw_cover(day, pages.image_width(day))
        return _validated(_part(request, image, etag), etag, day)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:20]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _validated(response: web.Response, etag: str, updated: date) -> web.Response:
    response.etag = ETag(etag)
    response.last_modified = _midnight(updated)
    return response


def _not_modified(request: web.Request, etag: str, updated: date) -> web.Response | None:
    """Return a 304 if the client's copy is current. An entity tag has priority over a date (RFC 9110, 13.2.2)."""
    if request.if_none_match is not None:
        current = any(tag.value in (etag, "*") for tag in request.if_none_match)
    else:
        since = request.if_modified_since
        current = since is not None and _midnight(updated) <= since
    return _validated(web.Response(status=304), etag, updated) if current else None


def _part(request: web.Request, image: bytes, etag: str) -> web.Response:
    """Return an image, or the part of it that a client asks for to continue a download (RFC 9110, 14.2)."""
    headers = {"Accept-Ranges": "bytes"}
    if "Range" not in request.headers or request.headers.get("If-Range", etag).strip('"') != etag:
        return web.Response(body=image, content_type="image/jpeg", headers=headers)
    try:
        start, stop, _ = request.http_range.indices(len(image))
    except ValueError:  # not a range of bytes: ignored
        return web.Response(body=image, content_type="image/jpeg", headers=headers)
    if start >= stop or request.headers["Range"].strip() == "bytes=-0":
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(image)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(image)}"
    return web.Response(status=206, body=image[start:stop], content_type="image/jpeg", headers=headers)


def _page(request: web.Request, text: str, updated: date) -> web.Response:
    etag = _digest(text.encode())
    if not_modified := _not_modified(request, etag, updated):
        return not_modified
    response = web.Response(text=text, content_type="text/html", charset="utf-8", headers={"Vary": "Accept-Encoding"})
    if _GZIP.search(request.headers.get("Accept-Encoding", "")):
        response.enable_compression(web.ContentCoding.gzip)
    return _validated(response, etag, updated)


def make_app(days: Sequence[date] | None = None, latency: float = 0, faults: Faults | None = None) -> web.Application:
    """Return the replica as an aiohttp application.

    *days* are the dates of the issues, newest first; the default is the archive's 4,763 dates. *latency* is a delay in
    seconds before each response. *faults* change responses into wrong ones.
    """
    archive = _Archive(issue_dates() if days is None else days)

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(latency)
        return await (faults.answer(request, archive.answer) if faults else archive.answer(request))

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", answer)
    app.router.add_route("HEAD", "/{path:.*}", answer)
    return app


@asynccontextmanager
async def serve(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve *app* on 127.0.0.1 until the context ends, and yield its address, e.g. ``http://127.0.0.1:8080``.

    If *port* is 0, use a free port.

    Raises: OSError if the port is in use.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, logger=_logger)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, port, *_ = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
