"""Refuse requests to other hosts than the spider's."""

from scrapy import Spider
from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request
from scrapy.utils.httpobj import urlparse_cached

_PORTS = {"http": 80, "https": 443}


class StrictOffsiteMiddleware(OffsiteMiddleware):
    """Scrapy's filter of offsite requests, applied to every request, also to redirects and images.

    A URL must use http or https, a host of the spider's allowed_domains (no subdomain), the default port, and no user
    name. Outside a crawl of the data set, for example in scrapy shell, Scrapy's own rules apply. A request with
    allow_offsite in its meta passes, as in Scrapy: no page can set this key.
    """

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        """Do nothing here: only a refusal in process_request calls the errback."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        if not self.crawler.settings.getbool("DATASET_ENABLED"):
            super().process_request(request)
        elif not request.meta.get("allow_offsite") and not self._is_allowed(request):
            self.stats.inc_value("offsite/filtered")
            raise IgnoreRequest(f"refused: {request.url} is not a URL of the archive")

    def _is_allowed(self, request: Request) -> bool:
        assert self.crawler.spider is not None  # noqa: S101 (set before the first request)
        hosts: list[str] = self.crawler.spider.allowed_domains  # type: ignore[attr-defined]
        url = urlparse_cached(request)
        host = url.netloc.lower().removesuffix(f":{_PORTS.get(url.scheme)}")
        return url.scheme in _PORTS and host in hosts
