"""Open the data set of a crawl, as configured by the settings and the spider."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrapy import Spider
from scrapy.crawler import Crawler
from w3lib.url import file_uri_to_path

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import FeedFile
from timecoverspider.dataset.rows import Fields
from timecoverspider.exceptions import UsageError

logger = logging.getLogger(__name__)


def open_dataset(crawler: Crawler) -> Dataset:
    """Open the data set of a crawl for writing. If an error is raised, the data set is closed again.

    Raises: DatasetError if the data set cannot be used; UsageError if a feed or a spider attribute is wrong.
    """
    settings, spider = crawler.settings, crawler.spider
    assert spider is not None  # noqa: S101 (Scrapy creates it before the extensions)
    dataset = Dataset(settings["FILES_STORE"], settings["CATALOG_URL"], write=True, archive=settings["ARCHIVE"])
    try:
        if dataset.corrupt_catalog:
            aside = dataset.corrupt_catalog
            logger.warning("The catalog could not be read. It was renamed to %s, and a new catalog was created.", aside)
        for uri, options in settings.getdict("FEEDS").items():
            _check_feed(str(uri), options, spider, dataset)
        _names(spider, "ignored_parameters")
        dataset.catalog.describe(spider.name, _fields(spider, settings))
    except BaseException:
        dataset.close()
        raise
    return dataset


def _check_feed(uri: str, options: Mapping[str, Any], spider: Spider, dataset: Dataset) -> None:
    """Check a feed.

    Raises: UsageError if the file is the feed of another data set, or if the feed filters items by class.
    """
    if {"item_classes", "item_filter"} & options.keys():
        raise UsageError(
            f"the feed {uri} has item_classes or item_filter, but the catalog does not store the class of an item"
        )
    scheme, separator, _ = uri.partition("://")
    if (separator and scheme != "file") or "%(time)s" in uri or "%(batch_" in uri:  # remote, or a new file each time
        return
    with suppress(KeyError, ValueError):  # Scrapy reports wrong placeholders
        FeedFile(Path(file_uri_to_path(uri % {"name": spider.name})), dataset).check()


def _names(spider: Spider, attribute: str) -> tuple[str, ...]:
    names = getattr(spider, attribute, ())
    if isinstance(names, str):
        raise UsageError(f"{attribute} of the spider {spider.name} must be a list of names, not {names!r}")
    return tuple(names)


def _fields(spider: Spider, settings: Any) -> Fields:
    """Return the fields that the spider's attributes and the settings name.

    Two items are the same record if their ``record_key`` fields are equal (default: the image URLs). Feeds are sorted
    by ``order_field`` in descending order (default: the page URL). ``title_field`` and ``date_field`` identify a record
    for a person.
    """
    return Fields(
        urls=settings["FILES_URLS_FIELD"] or "file_urls",
        files=settings["FILES_RESULT_FIELD"] or "files",
        key=_names(spider, "record_key"),
        order=getattr(spider, "order_field", ""),
        title=getattr(spider, "title_field", ""),
        date=getattr(spider, "date_field", ""),
    )
