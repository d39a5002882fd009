"""Respect robots.txt."""

import asyncio
import logging
from urllib.parse import urlsplit

from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler

from timecoverspider.archives import find_archive
from timecoverspider.text import brief

logger = logging.getLogger(__name__)

# RFC 9309 lets a crawler read everything if robots.txt is "unavailable" (400 to 499). These say that it must not.
_FORBIDDING = (401, 403, 407, 429)  # 407: a proxy wants a user and a password
_MAX_SIZE = 500 * 1024  # bytes that are parsed, as RFC 9309, 2.5, asks; 16 MB took 21 s and 1.7 GB


class StrictRobotsTxtMiddleware(RobotsTxtMiddleware):
    """Checks every request, also the first ones, against robots.txt.

    If several requests wait for the same robots.txt, Scrapy 2.19 checks only the first. If robots.txt cannot be read
    because of the server or the network, every request is refused (RFC 9309, 2.3.1.4); Scrapy allows every request.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rules: dict[str, asyncio.Future[RobotParser]] = {}

    async def robot_parser(self, request: Request) -> RobotParser:
        """Return the rules of a request's host.

        Raises: IgnoreRequest if its robots.txt cannot be read.
        """
        url = urlparse_cached(request)
        site = f"{url.scheme}://{url.netloc}"
        if site not in self._rules:
            self._rules[site] = asyncio.ensure_future(self._fetch_rules(f"{site}/robots.txt"))
        return await asyncio.shield(self._rules[site])

    async def _fetch_rules(self, url: str) -> RobotParser:
        meta = {"dont_obey_robotstxt": True}
        request = Request(url, priority=self.DOWNLOAD_PRIORITY, meta=meta, callback=NO_CALLBACK)
        assert self.crawler.engine is not None  # noqa: S101 (it passes all requests to this middleware)
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:
            raise _unknown(url, f"{brief(error)}{self._hint(url)}") from error
        if response.status >= 500 or response.status in _FORBIDDING:
            raise _unknown(url, f"HTTP {response.status}")
        body = response.body if response.status < 400 else b""
        if len(body) > _MAX_SIZE:
            body = body[:_MAX_SIZE].rpartition(b"\n")[0]  # half a line may forbid everything
        rules: RobotParser = build_from_crawler(self._parserimpl, self.crawler, body)
        return rules

    def _hint(self, url: str) -> str:
        """Return a hint for who opens the URL of another site in the shell, although an archive is used."""
        hosts = find_archive(self.crawler.settings["ARCHIVE"]).hosts()
        host = urlsplit(url).hostname
        is_foreign = hosts and host not in hosts
        return f" ({host} is not a host of the archive, so the request went to the live host)" if is_foreign else ""


def _unknown(url: str, reason: str) -> IgnoreRequest:
    logger.error("Nothing is requested from this host, because <%s> cannot be read: %s", url, reason)
    return IgnoreRequest(f"<{url}> cannot be read: {reason}")
