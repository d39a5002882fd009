"""The base class of all archives."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from scrapy.crawler import Crawler
from scrapy.http import Request, Response


class Archive:
    """Answers requests in place of some hosts; every other host is live.

    The spider, records, fingerprints, the offsite check, robots.txt and the catalog always see the URLs of these hosts.
    To add an archive, add a module with a subclass to this package.
    """

    name: ClassVar[str]  # the value of the setting ARCHIVE
    description: ClassVar[str]  # for one log line
    settings: ClassVar[Mapping[str, Any]] = {}  # Scrapy settings for this archive; -s overrides them

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def hosts(cls) -> Collection[str]:
        """The hosts that this archive replaces, in lower case."""
        return ()

    async def process_request(self, request: Request) -> Response | None:
        """Answer a request for one of the hosts, or change how the downloader sends it.

        An archive that is a proxy sets ``meta["proxy"]`` and returns None. If this meta is copied to
        another request, the proxy is removed from the copy.

        If an archive's URLs differ from the site's, as in the Wayback Machine, the archive downloads a request of its
        own and returns the response under the site's URL::

            meta = {"allow_offsite": True, "dont_obey_robotstxt": True, "dont_redirect": True}
            capture = await self.crawler.engine.download_async(Request(_capture_url(request.url), meta=meta))
            return capture.replace(url=request.url, request=request)  # for the callback of request

        The request for the capture passes all downloader middlewares, so the delay, concurrency and retries of the
        archive's host apply. The response then also passes process_response for the original request: set
        ``dont_retry`` in the meta of one of the two requests.

        Raises: IgnoreRequest if the request is refused, or one of Scrapy's download errors, which are retried.
        """
        return None

    async def close(self) -> None:
        """Close what process_request opened."""
