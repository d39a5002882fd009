"""Every way in which a command can end other than complete, each with its exit status.

A crawl that has begun asks ``extensions.crawl_state.CrawlState`` for its outcome; what keeps one from beginning is
raised. The README lists the exit statuses.
"""

import signal
from typing import ClassVar

COMPLETE = "complete"


class CrawlError(Exception):
    """A crawl that did not end complete. Raised by nobody: its subclasses are."""

    exit_status = 1
    label: ClassVar[str] = "broken off"  # in the column ``outcome`` of the catalog


class AbortedError(CrawlError):
    """The crawl could not go on: a full disk, a catalog that fails. An outcome, never raised."""


class DatasetError(CrawlError):
    """The data set cannot be used. Raised by dataset.Dataset, before anything is requested or changed."""


class CatalogError(DatasetError):
    """The catalog cannot be read or written. Raised by all that dataset.catalog does."""


class DatasetLockedError(DatasetError):
    """Another process writes to the data set. Raised by dataset.lock, when a data set is opened for writing."""

    exit_status = 5


class FeedError(CrawlError):
    """A feed could not be published. Raised by dataset.feed_file; the log says why."""


class UsageError(CrawlError):
    """What was asked for contradicts itself. Raised by CrawlState and dataset.feed_file, before the first request."""

    exit_status = 2


class IncompleteError(CrawlError):
    """Some records are missing, or the crawl ended before the last page. An outcome, never raised."""

    exit_status = 3
    label = "covers missing"


class SiteError(CrawlError):
    """The site could not be read: unreachable, forbidden, or its layout has changed. An outcome, never raised."""

    exit_status = 4
    label = "archive unreadable"


class InterruptedCrawlError(CrawlError):
    """Somebody ended the crawl. An outcome, never raised.

    >>> InterruptedCrawlError(15).exit_status, str(InterruptedCrawlError(15))
    (143, 'SIGTERM')
    """

    label = "interrupted"

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number
