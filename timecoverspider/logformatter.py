"""Scrapy's log, without lines and tracebacks that tell a user nothing."""

import logging
import warnings
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
    ScrapyDeprecationWarning,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from timecoverspider.exceptions import FeedError
from timecoverspider.text import brief

# Loggers that list components and settings at the start, and statistics at the end.
_CHATTER = (
    "addons",
    "crawler",
    "middleware",
    "statscollectors",
    "utils.log",
)
# Loggers that add a traceback to every error.
_TRACING = ("core.scraper",)
# Loggers that log a FeedError, with a traceback, after AtomicFeedStorage has logged it.
_REPEATING = ("extensions.feedexport",)
# Errors that need no traceback, because the message names the cause.
_CAUSE_KNOWN = (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    ScrapyDeprecationWarning,
    UnsupportedURLSchemeError,
)


def _without_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], _CAUSE_KNOWN):
        record.exc_info = None
    return True


def _is_no_feed_error(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], FeedError))


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


class LogAddon:
    """Removes lines and tracebacks from the log of every command; LOG_LEVEL=DEBUG shows the lines again."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        # Scrapy 2.19's own parse command warns of itself.
        warnings.filterwarnings("ignore", message=".*returned a Deferred", category=ScrapyDeprecationWarning)
        for name in _TRACING:
            logging.getLogger(f"scrapy.{name}").addFilter(_without_traceback)
        for name in _REPEATING:
            logging.getLogger(f"scrapy.{name}").addFilter(_is_no_feed_error)
        if settings["LOG_LEVEL"] != "DEBUG":
            for name in _CHATTER:
                logging.getLogger(f"scrapy.{name}").addFilter(_is_error)


class QuietLogFormatter(LogFormatter):
    """Scrapy's messages, without the ones for each page and item unless LOG_LEVEL is DEBUG."""

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
