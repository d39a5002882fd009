"""What the log says: one line for each thing that happened, and nothing for those that need no line."""

import logging
from typing import Any, Self

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from timecoverspider.exceptions import FeedError
from timecoverspider.text import brief

# What Scrapy lists when it starts and ends.
_CHATTER = (
    "addons",
    "crawler",
    "middleware",
    "statscollectors",
    "utils.log",
)
# Whose log lines come with a traceback, whatever happened.
_TRACING = ("core.scraper",)
# Who repeats, with a traceback, what the dataset and the feed's storage have said already.
_TOLD = ("extensions.feedexport",)
# Where the message says it all.
_CAUSE_KNOWN = (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)


def _without_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], _CAUSE_KNOWN):
        record.exc_info = None
    return True


def _is_untold(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], FeedError))


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


class LogAddon:
    """Keeps the log of every command to what a person wants to know; LOG_LEVEL=DEBUG shows the rest."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        for name in _TRACING:
            logging.getLogger(f"scrapy.{name}").addFilter(_without_traceback)
        for name in _TOLD:
            logging.getLogger(f"scrapy.{name}").addFilter(_is_untold)
        if settings["LOG_LEVEL"] != "DEBUG":
            for name in _CHATTER:
                logging.getLogger(f"scrapy.{name}").addFilter(_is_error)


class QuietLogFormatter(LogFormatter):
    """Scrapy's messages, without those that would only be made to be thrown away."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.settings["LOG_LEVEL"] == "DEBUG")

    def crawled(self, request: Request, response: Response, spider: Spider) -> LogFormatterResult | None:  # type: ignore[override]
        return super().crawled(request, response, spider) if self._verbose else None

    def scraped(self, item: Any, response: Any, spider: Spider) -> LogFormatterResult | None:  # type: ignore[override]
        return super().scraped(item, response, spider) if self._verbose else None

    def download_error(
        self, failure: Failure, request: Request, spider: Spider, errmsg: str | None = None
    ) -> LogFormatterResult:
        return super().download_error(failure, request, spider, errmsg or brief(failure.value))
