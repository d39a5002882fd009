"""The data set that a crawl writes to, as its settings and its spider say."""

import logging
from pathlib import Path
from typing import Any

from scrapy import Spider
from scrapy.crawler import Crawler

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import FeedFile
from timecoverspider.dataset.rows import Fields

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
        for uri in settings.getdict("FEEDS"):
            scheme, _, path = str(uri).rpartition("://")
            if scheme in ("", "file") and "%(" not in path:
                FeedFile(Path(path), dataset).check()
        dataset.catalog.describe(spider.name, _fields(spider, settings))
    except BaseException:
        dataset.close()
        raise
    return dataset


def _fields(spider: Spider, settings: Any) -> Fields:
    """What the spider says of its items' fields, in attributes.

    ``record_key`` lists the fields that make an item another record (without it: its image URLs), ``order_field`` is
    the one that feeds are ordered by, the greatest first (without it: the page's URL), and ``title_field`` and
    ``date_field`` are what a person knows it by.
    """
    return Fields(
        urls=settings["FILES_URLS_FIELD"] or "file_urls",
        files=settings["FILES_RESULT_FIELD"] or "files",
        key=tuple(getattr(spider, "record_key", ())),
        order=getattr(spider, "order_field", ""),
        title=getattr(spider, "title_field", ""),
        date=getattr(spider, "date_field", ""),
    )
