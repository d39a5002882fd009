"""Pass requests for the archive's hosts to the archive."""

from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Request, Response
from scrapy.utils.httpobj import urlparse_cached

from timecoverspider.archives import find_archive
from timecoverspider.archives.base import Archive

_PROXY = "_archive_proxy"  # meta key: the proxy that the archive set for a request


class ArchiveMiddleware:
    """Passes requests for the archive's hosts to the archive, before HttpProxyMiddleware runs.

    The user's proxies apply only to other hosts.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._hosts = frozenset(archive.hosts())

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(find_archive(crawler.settings["ARCHIVE"])(crawler))
        if not middleware._hosts:
            raise NotConfigured
        crawler.signals.connect(middleware.engine_stopped, signals.engine_stopped)
        return middleware

    async def process_request(self, request: Request) -> Response | None:
        _forget(request)
        url = urlparse_cached(request)
        if url.scheme not in ("http", "https") or url.hostname not in self._hosts:
            return None
        before = request.meta.get("proxy")
        response = await self._archive.process_request(request)
        if (proxy := request.meta.get("proxy")) != before:
            request.meta[_PROXY] = proxy
        return response

    async def engine_stopped(self) -> None:
        await self._archive.close()


def _forget(request: Request) -> None:
    """Remove the archive's proxy if this meta is a copy of another request's, as after a redirect."""
    proxy = request.meta.pop(_PROXY, None)
    if proxy is not None and request.meta.get("proxy") == proxy:
        del request.meta["proxy"]
