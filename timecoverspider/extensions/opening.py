"""Open the data set of a crawl, as configured by the settings and the spider."""

import io
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.extensions.feedexport import FileFeedStorage
from scrapy.utils.conf import feed_complete_default_values_from_settings
from scrapy.utils.misc import build_from_crawler, load_object
from scrapy.utils.python import without_none_values
from w3lib.url import file_uri_to_path

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import FeedFile
from timecoverspider.dataset.rows import Fields
from timecoverspider.exceptions import UsageError
from timecoverspider.text import brief, without_password
from timecoverspider.utils.spider import is_same_site, site_of

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
        _check_feeds(crawler, dataset)
        _warn_if_new(crawler, dataset)
        for attribute in ("allowed_domains", "ignored_parameters", "start_urls"):
            _names(spider, attribute)
        _check_site(spider, dataset)
        dataset.catalog.describe(spider.name, _fields(spider, settings), site_of(spider))
    except BaseException:
        dataset.close()
        raise
    return dataset


def _check_site(spider: Spider, dataset: Dataset) -> None:
    """Check that the data set belongs to the spider and its site.

    Raises: UsageError if the data set belongs to another spider, or to another site under the same name.
    """
    advice = "choose another folder with -s FILES_STORE=…, or move this folder away"
    if dataset.catalog.spider not in ("", spider.name):
        raise UsageError(
            f"{dataset.folder} belongs to the spider {dataset.catalog.spider!r}, not to {spider.name!r}: {advice}"
        )
    if not is_same_site(dataset.catalog.hosts, site_of(spider)):
        old, new = ", ".join(dataset.catalog.hosts), ", ".join(sorted(site_of(spider)))
        raise UsageError(
            f"{dataset.folder} has records of {old}, and the spider {spider.name!r} now starts at {new}: "
            f"give the spider another name, {advice}"
        )


def _warn_if_new(crawler: Crawler, dataset: Dataset) -> None:
    """Warn if a feed exists and the data set is empty: a disk is not mounted, or FILES_STORE has changed."""
    feeds = [str(uri) for uri in crawler.settings.getdict("FEEDS") if Path(file_uri_to_path(str(uri))).is_file()]
    if feeds and not dataset.catalog.count() and not any(dataset.layout.images.glob("*")):
        logger.warning(
            "%s exists, but the data set in %s is empty: all images will be downloaded. If this is wrong, stop, and "
            "check FILES_STORE and whether its disk is mounted.",
            feeds[0],
            dataset.folder,
        )


def _check_feeds(crawler: Crawler, dataset: Dataset) -> None:
    """Check all feeds before the first request.

    Raises: UsageError if a feed cannot be written as the settings say, or if two feeds have the same file.
    """
    files: dict[Path, str] = {}
    for place, given in crawler.settings.getdict("FEEDS").items():
        uri = str(place.absolute()) if isinstance(place, Path) else str(place)
        options = feed_complete_default_values_from_settings(given, crawler.settings, uri)
        try:
            storage = _check_feed(crawler, uri, options)
        except (LookupError, NotConfigured, TypeError, ValueError) as error:
            raise UsageError(f"cannot write the feed {without_password(uri)}: {brief(error)}") from error
        if isinstance(storage, FileFeedStorage) and not _has_new_name(uri):
            file = FeedFile(Path(storage.path), dataset)
            file.check()
            if other := files.get(file.path):
                raise UsageError(f"the feeds {other} and {uri} are the same file")
            files[file.path] = uri


def _check_feed(crawler: Crawler, uri: str, options: dict[str, Any]) -> Any:
    """Return the storage of a feed. Raise one of several errors, with the reason, if the feed cannot be written."""
    if {"item_classes", "item_filter"} & options.keys():
        raise ValueError("item_classes and item_filter are not supported, because the catalog stores no classes")
    if options["format"] not in without_none_values(crawler.settings.getwithbase("FEED_EXPORTERS")):
        raise ValueError(f"there is no format {options['format']!r}")
    io.TextIOWrapper(io.BytesIO(), options["encoding"] or "utf-8")  # not every codec is one for text
    if options["batch_item_count"] and not _has_new_name(uri):
        raise ValueError("with FEED_EXPORT_BATCH_ITEM_COUNT, its name must contain %(batch_id)d or %(batch_time)s")
    storages = without_none_values(crawler.settings.getwithbase("FEED_STORAGES"))
    scheme = urlsplit(uri).scheme
    if scheme not in storages:
        raise ValueError(f"there is no storage for {scheme}:")
    parameters = {name: getattr(crawler.spider, name) for name in dir(crawler.spider)}
    try:
        name = uri % (parameters | {"time": "now", "batch_time": "now", "batch_id": 1})
    except KeyError as error:
        if not options["uri_params"]:
            raise ValueError(f"the spider has no attribute {error}") from error
        name = uri
    return build_from_crawler(load_object(storages[scheme]), crawler, name, feed_options=options)


def _has_new_name(uri: str) -> bool:
    """Return whether each crawl, or each batch, has a file of its own."""
    return "%(time)s" in uri or "%(batch_" in uri


def _names(spider: Spider, attribute: str) -> tuple[str, ...]:
    names = getattr(spider, attribute, None) or ()
    if isinstance(names, str):
        raise UsageError(f"{attribute} of the spider {spider.name} must be a list, not {names!r}")
    return tuple(names)


def _fields(spider: Spider, settings: Any) -> Fields:
    """Return the fields that the spider's attributes and the settings name.

    Two items are the same record if their ``record_key`` fields are equal (default: the image URLs and the page URL).
    Feeds are sorted by ``order_field`` as text in descending order (default: by the page URL). ``title_field`` and
    ``date_field`` are stored in the catalog, and not used yet.
    """
    return Fields(
        urls=settings["FILES_URLS_FIELD"] or "file_urls",
        files=settings["FILES_RESULT_FIELD"] or "files",
        key=_names(spider, "record_key"),
        order=getattr(spider, "order_field", ""),
        title=getattr(spider, "title_field", ""),
        date=getattr(spider, "date_field", ""),
    )
