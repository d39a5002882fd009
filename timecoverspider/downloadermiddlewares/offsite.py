"""Refuse requests to other hosts than the spider's."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request
from scrapy.utils.httpobj import urlparse_cached

from timecoverspider.archives import is_archived
from timecoverspider.utils.spider import allowed_domains, start_hosts, start_ports

_PORTS = {"http": 80, "https": 443}
# Names that are resolved on this machine or its network (RFC 6761, RFC 6762, RFC 8375).
_LOCAL = re.compile(r"(.*\.)?(localhost|local|internal|home\.arpa)|[^.:]+")


def is_private(host: str) -> bool:
    """Return whether a host is known to be on this machine or its network, without a lookup.

    >>> is_private("127.0.0.1"), is_private("10.1.2.3"), is_private("::1"), is_private("localhost")
    (True, True, True, True)
    >>> is_private("example.com"), is_private("8.8.8.8")
    (False, False)
    """
    try:
        return not ip_address(host).is_global
    except ValueError:
        return bool(_LOCAL.fullmatch(host)) or _is_number(host)


def _is_number(host: str) -> bool:
    """Return whether a host is an IPv4 address in an unusual notation, such as 2130706433 or 0x7f.1."""
    return bool(re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", host))


class StrictOffsiteMiddleware(OffsiteMiddleware):
    """Scrapy's filter of offsite requests, applied to every request, also to redirects and images.

    A URL must use http or https, the default port or a port of a start URL, and no user name. If the spider has
    allowed_domains, the host must be one of them or a subdomain; if an archive stands in for all of them, subdomains do
    not count. Without allowed_domains, the host must be public, unless a start URL names it. The download handler also
    checks the address that the name of a host is resolved to.

    Outside a crawl of the data set, for example in scrapy shell, Scrapy's own rules apply. A request with allow_offsite
    in its meta passes, as in Scrapy: no page can set this key.
    """

    _domains: set[str]
    _start_hosts: set[str]
    _ports: set[tuple[str, int]]
    _is_exact: bool

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = super().from_crawler(crawler)
        spider = crawler.spider or crawler.spidercls
        middleware._domains, middleware._start_hosts = allowed_domains(spider), start_hosts(spider)
        middleware._ports = start_ports(spider)
        middleware._is_exact = is_archived(middleware._domains)
        return middleware

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        """Do nothing here: only a refusal in process_request calls the errback."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        if not self.crawler.settings.getbool("DATASET_ENABLED"):
            super().process_request(request)
        elif not request.meta.get("allow_offsite") and (reason := self._why_refused(request)):
            self.stats.inc_value("offsite/filtered")
            raise IgnoreRequest(f"refused: {request.url} {reason}")

    def _why_refused(self, request: Request) -> str:
        try:
            url = urlparse_cached(request)
            host, port = (url.hostname or "").rstrip("."), url.port or _PORTS.get(url.scheme)
        except ValueError as error:
            return f"is not a URL: {error}"
        if url.scheme not in _PORTS or not host:
            return "does not begin with http:// or https:// and a host"
        if "@" in url.netloc:
            return "has a user name"
        if port != _PORTS[url.scheme] and (host, port) not in self._ports:
            return f"has the port {port}, which no start URL has"
        if self._domains:
            return "" if self._is_allowed(host, self._domains) else f"is offsite: {host} is not in allowed_domains"
        return (
            f"is on this machine or its network: {host}" if is_private(host) and host not in self._start_hosts else ""
        )

    def _is_allowed(self, host: str, domains: Iterable[str]) -> bool:
        return host in domains or (not self._is_exact and any(host.endswith(f".{domain}") for domain in domains))
