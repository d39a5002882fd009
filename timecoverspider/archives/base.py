"""What an archive is."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from scrapy.crawler import Crawler
from scrapy.http import Request, Response


class Archive:
    """Stands in for some hosts; every other host is live.

    The spider, records, fingerprints, the offsite check, robots.txt and the catalog see the hosts' own URLs, whatever
    the archive does. A subclass in a module of this package is all that a new archive needs.
    """

    name: ClassVar[str]  # the value of the setting ARCHIVE
    description: ClassVar[str]  # for one line of the log
    settings: ClassVar[Mapping[str, Any]] = {}  # its manners; -s overrides them

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @property
    def hosts(self) -> Collection[str]:
        """The hosts that the archive stands in for, in lower case."""
        return ()

    async def process_request(self, request: Request) -> Response | None:
        """Answer a request for one of the hosts, or say how the downloader is to send it.

        An archive that is a proxy sets ``meta["proxy"]`` and returns None. A copy of the meta loses this proxy, if it
        goes to another host.

        An archive whose URLs differ from the site's, such as the Wayback Machine, downloads its own request, and
        returns the response under the site's URL::

            meta = {"allow_offsite": True, "dont_obey_robotstxt": True, "dont_redirect": True}
            capture = await self.crawler.engine.download_async(Request(_capture_url(request.url), meta=meta))
            return capture.replace(url=request.url, request=request)  # whose callback gets it

        The request for the capture passes all downloader middlewares, so that delay, concurrency and retries are those
        of the archive's host. The response then passes process_response for the original request, so the archive
        sets ``dont_retry`` in the meta of one of the two.

        Raises: IgnoreRequest, or one of Scrapy's download errors, which are retried.
        """
        return None

    async def close(self) -> None:
        """Let go of what process_request opened."""
