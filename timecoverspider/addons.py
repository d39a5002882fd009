"""Settings that Scrapy must know before it creates a crawler."""

import sys
from typing import NoReturn, Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from timecoverspider.archives import find_archive, stands_in_for
from timecoverspider.exceptions import UsageError
from timecoverspider.utils.settings import check_settings
from timecoverspider.utils.spider import allowed_domains, dataset_folder, start_hosts


class ArchiveAddon:
    """Checks the settings of every command, and gives each crawl its archive, its pace and its folder."""

    def __init__(self, spider: type[Spider]) -> None:
        self._spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.spidercls)

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Check the settings.

        Raises: SystemExit with status 2, after one line on stderr, if a setting is invalid.
        """
        try:
            check_settings(settings)
            find_archive(settings["ARCHIVE"])
        except ValueError as error:
            _refuse(str(error))

    def update_settings(self, settings: BaseSettings) -> None:
        """Choose the archive, its settings, at a priority that -s overrides, and the folder of the data set.

        A spider with a host that the archive does not stand in for is crawled live.

        Raises: UsageError if the name of the spider cannot be the name of its folder.
        """
        hosts = allowed_domains(self._spider) | start_hosts(self._spider)
        is_of_project = not self._spider.__module__.startswith("scrapy.")  # else the shell's, which has no hosts
        if is_of_project and not stands_in_for(settings["ARCHIVE"], hosts):
            settings.set("ARCHIVE", "live", settings.getpriority("ARCHIVE") or 0)
        settings.setdict(find_archive(settings["ARCHIVE"]).settings, priority="addon")
        if is_of_project and settings.getbool("DATASET_ENABLED"):
            try:
                folder = dataset_folder(settings, self._spider.name)
            except ValueError as error:
                raise UsageError(str(error)) from error
            settings.set("FILES_STORE", folder, settings.getpriority("FILES_STORE") or 0)


def _refuse(reason: str) -> NoReturn:
    print(f"scrapy: error: {reason}", file=sys.stderr)
    raise SystemExit(2)
