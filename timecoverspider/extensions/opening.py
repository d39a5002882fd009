"""The data set that a crawl writes to, as its settings and its spider say."""

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
    """Open the data set of a crawl for writing.

    Raises DatasetError if it cannot be used, and UsageError if a feed is another data set's; it is closed then.
    """
    settings, spider = crawler.settings, crawler.spider
    assert spider is not None  # noqa: S101 (Scrapy makes it before its extensions)
    dataset = Dataset(settings["FILES_STORE"], settings["CATALOG_URL"], write=True, archive=settings["ARCHIVE"])
    try:
        if dataset.corrupt_catalog:
            aside = dataset.corrupt_catalog
            logger.warning("The catalog could not be read. It is now %s, and a new one is made.", aside)
        for uri, options in settings.getdict("FEEDS").items():
            _check_feed(str(uri), options, spider, dataset)
        _names(spider, "ignored_parameters")
        dataset.catalog.describe(spider.name, _fields(spider, settings))
    except BaseException:
        dataset.close()
        raise
    return dataset


def _check_feed(uri: str, options: Mapping[str, Any], spider: Spider, dataset: Dataset) -> None:
    """Raise UsageError if a feed is another data set's, or wants to choose items by their class."""
    if {"item_classes", "item_filter"} & options.keys():
        raise UsageError(f"the feed {uri} has item_classes or item_filter: the catalog does not know an item's class")
    scheme, separator, _ = uri.partition("://")
    if (separator and scheme != "file") or "%(time)s" in uri or "%(batch_" in uri:  # which have a new name each time
        return
    with suppress(KeyError, ValueError):  # Scrapy says what is wrong with its placeholders
        FeedFile(Path(file_uri_to_path(uri % {"name": spider.name})), dataset).check()


def _names(spider: Spider, attribute: str) -> tuple[str, ...]:
    names = getattr(spider, attribute, ())
    if isinstance(names, str):
        raise UsageError(f"{attribute} of the spider {spider.name} must be a list of names, not {names!r}")
    return tuple(names)


def _fields(spider: Spider, settings: Any) -> Fields:
    """What the spider says of its items' fields, in attributes.

    ``record_key`` lists the fields that make an item another record (without it: its image URLs), ``order_field`` is
    the one that feeds are ordered by, the greatest first (without it: the page's URL), and ``title_field`` and
    ``date_field`` are what a person knows it by.
    """
    return Fields(
        urls=settings["FILES_URLS_FIELD"] or "file_urls",
        files=settings["FILES_RESULT_FIELD"] or "files",
        key=_names(spider, "record_key"),
        order=getattr(spider, "order_field", ""),
        title=getattr(spider, "title_field", ""),
        date=getattr(spider, "date_field", ""),
    )
