"""Which hosts a crawl may ask."""

from scrapy import Spider
from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request
from scrapy.utils.httpobj import urlparse_cached

_PORTS = {"http": 80, "https": 443}


class StrictOffsiteMiddleware(OffsiteMiddleware):
    """Scrapy's filter of foreign hosts, which nothing that a crawl asks for gets round.

    Whatever a page or a redirect names, only http and https at the usual ports of just the spider's allowed_domains
    are asked for, without a user's name. In the other commands it is Scrapy's own: people may look where they like.
    A request whose meta has allow_offsite passes, as in Scrapy: no page can set it.
    """

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        """Leave it to process_request, whose refusal reaches the errback."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        if not self.crawler.settings.getbool("DATASET_ENABLED"):
            super().process_request(request)
        elif not request.meta.get("allow_offsite") and not self._is_the_archives(request):
            self.stats.inc_value("offsite/filtered")
            raise IgnoreRequest(f"refused: {request.url} is not the archive's")

    def _is_the_archives(self, request: Request) -> bool:
        assert self.crawler.spider is not None  # noqa: S101 (there is one when requests are made)
        hosts: list[str] = self.crawler.spider.allowed_domains  # type: ignore[attr-defined]
        url = urlparse_cached(request)
        host = url.netloc.lower().removesuffix(f":{_PORTS.get(url.scheme)}")
        return url.scheme in _PORTS and host in hosts
