"""Which requests are the same, and by which URL the catalog knows the page that one asks for."""

import hashlib
from collections.abc import Sequence

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import Request
from scrapy.utils.request import RequestFingerprinter

from timecoverspider.urls import without_parameters


def page_url(request: Request, spider: Spider | None) -> str:
    """The URL under which a page was found, whatever it redirected to, without what its spider ignores.

    If the request has a body, its digest stands behind ``#``: the same URL answers another body with another page.
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
    """Takes URLs for the same page that differ only in the spider's ``ignored_parameters``.

    Otherwise links that carry a session would lead in a circle.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._crawler = crawler

    def fingerprint(self, request: Request) -> bytes:
        url = without_parameters(request.url, _ignored(self._crawler.spider))
        return super().fingerprint(request if len(url) == len(request.url) else request.replace(url=url))
