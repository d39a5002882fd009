"""Proxies for live requests."""

from typing import Any
from urllib.request import proxy_bypass

from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.http import Request
from scrapy.utils.httpobj import urlparse_cached


class CachedHttpProxyMiddleware(HttpProxyMiddleware):
    """Scrapy's proxies, but no_proxy is looked up only once for each host.

    Scrapy 2.19 calls urllib.request.proxy_bypass for every request, which reads all environment variables:
    760,000 reads for 9,848 requests. If a later version of Scrapy caches the result, this class can go.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._direct: dict[str, bool] = {}

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        """Set ``meta["proxy"]`` according to http_proxy, https_proxy and no_proxy, unless it is already set."""
        url = urlparse_cached(request)
        if "proxy" in request.meta or url.scheme not in self.proxies:
            super().process_request(request)
        elif url.hostname and not self._is_direct(url.hostname):
            credentials, proxy = self.proxies[url.scheme]
            self._set_proxy_and_creds(request, proxy, credentials, url.scheme)

    def _is_direct(self, host: str) -> bool:
        if host not in self._direct:
            self._direct[host] = bool(proxy_bypass(host))
        return self._direct[host]
