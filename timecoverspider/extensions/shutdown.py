"""Ctrl-C and SIGTERM end a crawl in good order: only a command that owns the process uses this."""

import asyncio
import os
import signal
from types import FrameType, TracebackType
from typing import Self

from scrapy.crawler import Crawler

from timecoverspider.extensions.crawl_state import CrawlState

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Shutdown:
    """While the context lasts, the first signal ends the crawl in good order, and the second one the process.

    The handlers that were there before come back when it ends.
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
            os._exit(128 + number)  # Scrapy would wait for what is in flight
        self._number = number
        self._loop.call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        if self._crawler.engine is None:  # the crawl is being made
            self._loop.call_soon(self._interrupt)
        elif state := self._crawler.get_extension(CrawlState):
            state.interrupt(self._number)
