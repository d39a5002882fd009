"""Graceful shutdown by Ctrl-C and SIGTERM, only for commands that own the process."""

import asyncio
import os
import signal
from types import FrameType, TracebackType
from typing import Self

from scrapy.crawler import Crawler

from timecoverspider.exceptions import InterruptedCrawlError
from timecoverspider.extensions.crawl_state import CrawlState

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class NotStarted(BaseException):
    """A signal arrived before the crawl had started. Not an Exception: psycopg, for example, ignores these."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.outcome = InterruptedCrawlError(number)


class Shutdown:
    """A context in which the first signal ends the crawl gracefully, and the second signal ends the process at once.

    On exit, the previous signal handlers are restored.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._loop = asyncio.get_event_loop()
        self._number = 0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._number:
            os._exit(128 + number)  # Scrapy would wait for the requests in flight
        self._number = number
        self._loop.call_soon_threadsafe(self._interrupt)
        if not self._has_engine:
            raise NotStarted(number)  # there is nothing to finish, and a database may not answer

    @property
    def _has_engine(self) -> bool:
        """Whether the crawl has started."""
        try:
            return self._crawler.engine is not None
        except RuntimeError:  # Scrapy 2.19 raises it before the crawl starts
            return False

    def _interrupt(self) -> None:
        if not self._has_engine:
            self._loop.call_soon(self._interrupt)
        elif state := self._crawler.get_extension(CrawlState):
            state.interrupt(self._number)
