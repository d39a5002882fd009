"""All outcomes of a command except "complete", each with its exit status.

If an error prevents a crawl from starting, the error is raised. If the crawl has started,
``extensions.crawl_state.CrawlState`` has its outcome. The README lists the exit statuses.
"""

import signal
from typing import ClassVar

COMPLETE = "complete"


class CrawlError(Exception):
    """The base class of all outcomes except "complete". Only its subclasses are used."""

    exit_status = 1
    label: ClassVar[str] = "aborted"  # stored in the catalog's column ``outcome``


class AbortedError(CrawlError):
    """The crawl was aborted, for example because the disk is full or the catalog failed. An outcome, never raised."""


class DatasetError(CrawlError):
    """The data set cannot be used. Raised by dataset.Dataset, before the first request and before any change."""


class CatalogError(DatasetError):
    """The catalog cannot be read or written. Raised by all methods of dataset.catalog.Catalog."""


class DatasetLockedError(DatasetError):
    """Another process writes to the data set. Raised by dataset.lock."""

    exit_status = 5


class FeedError(CrawlError):
    """A feed cannot be published. Raised by dataset.feed_file and extensions.feedexport."""


class ExportError(CrawlError):
    """An export cannot be written. Raised by exports.export and exports.parquet."""


class UsageError(CrawlError):
    """Invalid settings. Raised by extensions.opening, dataset.feed_file and exports, or an outcome."""

    exit_status = 2


class IncompleteError(CrawlError):
    """Records are missing, or the crawl ended before the last listing. An outcome, never raised."""

    exit_status = 3
    label = "covers missing"


class SiteError(CrawlError):
    """The site is unreachable, forbidden by robots.txt, or has a new layout. An outcome, never raised."""

    exit_status = 4
    label = "archive unreadable"


class InterruptedCrawlError(CrawlError):
    """The signal *number* interrupted the crawl. An outcome; before the crawl has started, Shutdown raises it.

    >>> InterruptedCrawlError(15).exit_status, str(InterruptedCrawlError(15))
    (143, 'SIGTERM')
    """

    label = "interrupted"

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number
