"""Which pages need not be asked for, and where the walk does not get through."""

import os
from collections.abc import AsyncIterator
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotSupported
from scrapy.http import Request, Response, TextResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from timecoverspider.dataset.invalid_pages import InvalidPages
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.extensions.crawl_state import Dataset
from timecoverspider.items import MagazineCover
from timecoverspider.text import brief
from timecoverspider.urls import without_session

_AHEAD = 500  # covers that wait their turn before the walk waits: those of a large archive would fill the memory


class IncrementalCrawlMiddleware:
    """Keeps the walk to what is not here yet, and notices where it does not get through.

    Covers that are here are not asked for again. A listing that holds nothing new ends the walk where
    an earlier crawl saw the rest. What fails is told to the dataset, and pages that cannot be read are kept.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._dataset = dataset = Dataset.of(crawler)
        self._unreadable_limit = crawler.settings.getfloat("UNREADABLE_LIMIT")
        self._rejected = InvalidPages(dataset.folder / "rejected")
        self._asked: set[str] = set()  # cover pages
        self._read = 0
        self._misread = 0  # cover pages that made no sense, however often they were asked for
        self._listed = 0  # covers in listings that are here

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    async def process_start(self, start: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Add to the spider's start the covers whose pictures are damaged: only those are fetched."""
        async for request in start:
            request.errback = self._lost_page
            if not self._dataset.repairs:
                yield request
        if not self._dataset.refresh:
            for cover in list(self._dataset.damaged.values()):
                item = MagazineCover(title=cover.title, pubDate=cover.pub_date, file_urls=[cover.image_url])
                yield item.found_on(cover.page_url)

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        handlers = {"parse_page": self._listing, "parse_covers": self._cover}
        async for output in handlers.get(_callback(response), self._index)(response, result):
            yield output
        if isinstance(response, TextResponse):
            # They hold each other, and with them the parsed page, until Python looks for such circles.
            response.selector.response = None

    async def _index(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        found = False
        async for request in result:
            found = True
            request.errback = self._lost_page
            yield request
        if not found:
            for again in self._refuse(response, "no link to TIME U.S. was found"):
                yield again

    async def _listing(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        covers = new = 0
        goes_on = False
        async for request in result:
            if request.callback.__name__ == "parse_covers":
                covers += 1
                if not self._is_here(request):
                    new += 1
                    if self._is_first(request):
                        request.errback = self._lost_cover
                        yield request
            elif new or not self._dataset.may_stop_early:
                goes_on = True
                request.errback = self._lost_page
                yield request.replace(priority=-1) if len(self._dataset.awaited) > _AHEAD else request
            else:
                goes_on = self._dataset.walked_enough = True
        self._listed += covers - new
        if not covers or not (goes_on or b"</html>" in response.body.lower()):  # cut short, it has no Next either
            for again in self._refuse(response, "it is cut short" if covers else "it lists no covers"):
                yield again
        elif not goes_on:
            self._end(response)

    def _end(self, response: Response) -> None:
        """See whether the last listing page was the archive's, not where its layout changed."""
        known = len(self._dataset.known) + len(self._dataset.damaged) - self._dataset.new
        if self._listed < known * 0.9 and not self._dataset.refresh:
            self._reject(response, f"the listings end here, after {self._listed:,} of {known:,} covers known before")
        self._dataset.walked_whole = True

    def _is_here(self, request: Request) -> bool:
        url = without_session(request.url)
        # Damaged ones are asked for at the start.
        return not self._dataset.refresh and (url in self._dataset.known or url in self._dataset.damaged)

    def _is_first(self, request: Request) -> bool:
        """Whether a cover has not been asked for before, in which case it is awaited from now on."""
        url = without_session(request.url)
        if url in self._asked:
            return False
        self._asked.add(url)
        self._dataset.awaited.add(url)
        return True

    async def _cover(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for cover in result:
            self._read += 1
            yield cover.found_on(_page_url(response.request))

    def process_spider_exception(self, response: Response, exception: Exception) -> list[Any] | None:
        if not isinstance(exception, (ValueError, NotSupported)):  # what is no text cannot be searched
            self._reject(response, brief(exception))
            return None  # a bug: Scrapy logs the traceback
        return self._refuse(response, brief(exception))

    def _refuse(self, response: Response, reason: str) -> list[Request]:
        """Ask for a page again that makes no sense, or give it up where that has been tried enough."""
        again = response.request and retry_later(response.request, self._crawler, "refused page")
        if again is None or self._dataset.ending.is_set():
            self._reject(response, reason)
            return []
        return [again]

    def _reject(self, response: Response, reason: str) -> None:
        """Tell what cannot be read, and keep the page."""
        try:
            page = self._rejected.save(response, reason)
        except OSError as error:
            self._dataset.give_up(f"cannot write to {self._dataset.folder}: {error.strerror}")
            page = None
        hint = f' (scrapy shell "./{os.path.relpath(page)}")' if page else ""
        if _callback(response) == "parse_covers":
            self._dataset.miss(_page_url(response.request), f"{reason}{hint}")
            self._misread += 1
            if self._misread >= 10 and self._has_drifted(self._unreadable_limit):
                self._dataset.end_early("layout_changed")
        else:
            self._dataset.misread(f"<{response.url}>: {reason}{hint}")

    def spider_idle(self) -> None:
        if not self._read and not self._dataset.awaited:
            self._has_drifted(0)

    def _has_drifted(self, limit: float) -> bool:
        """Tell that the archive cannot be read where more than a share of its cover pages made no sense."""
        read = self._read + self._misread
        if self._misread <= limit * read or self._dataset.unreadable:
            return False
        self._dataset.misread(f"{self._misread:,} of {read:,} cover pages made no sense: has their layout changed?")
        return True

    def _lost_cover(self, failure: Failure) -> None:
        request: Request = failure.request  # type: ignore[attr-defined]
        if not self._dataset.ending.is_set():
            self._dataset.miss(_page_url(request), _reason(failure))

    def _lost_page(self, failure: Failure) -> None:
        request: Request = failure.request  # type: ignore[attr-defined]
        self._dataset.misread(f"<{request.url}>: {_reason(failure)}")


def _callback(response: Response) -> str:
    callback = response.request and response.request.callback
    return callback.__name__ if callback else "parse"


def _page_url(request: Request | None) -> str:
    """The address under which a cover page was found, whatever it redirected to."""
    assert request is not None  # noqa: S101 (Scrapy sets it before any middleware sees a response)
    first, *_ = request.meta.get("redirect_urls", [request.url])
    return without_session(first)


def _reason(failure: Failure) -> str:
    if isinstance(failure.value, HttpError):
        return f"HTTP {failure.value.response.status}"
    return brief(failure.value)
