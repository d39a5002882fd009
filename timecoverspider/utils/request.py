"""Identify the page of a request: its URL in the catalog, and its fingerprint."""

import hashlib
from collections.abc import Sequence

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import Request
from scrapy.utils.request import RequestFingerprinter

from timecoverspider.urls import without_parameters


def page_url(request: Request, spider: Spider | None) -> str:
    """Return the URL of a request before redirects, without the spider's ``ignored_parameters``.

    If the request has a body or another method than GET and HEAD, ``#``, the method and the SHA-1 of the body are
    appended, because the response depends on them.
    """
    first, *_ = request.meta.get("redirect_urls", [request.url])
    url = without_parameters(first, _ignored(spider))
    if request.body or request.method not in ("GET", "HEAD"):
        url += f"#{request.method}-{hashlib.sha1(request.body, usedforsecurity=False).hexdigest()}"
    return url


def _ignored(spider: Spider | None) -> Sequence[str]:
    names: Sequence[str] = getattr(spider, "ignored_parameters", ())
    return names


class PageFingerprinter(RequestFingerprinter):
    """Gives URLs that differ only in the spider's ``ignored_parameters`` the same fingerprint.

    Otherwise links with a new session ID each time would lead to the same pages without end.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._crawler = crawler

    def fingerprint(self, request: Request) -> bytes:
        url = without_parameters(request.url, _ignored(self._crawler.spider))
        return super().fingerprint(request if len(url) == len(request.url) else request.replace(url=url))
