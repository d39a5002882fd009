"""Settings that Scrapy must know before it creates a crawler."""

import sys
from typing import NoReturn

from scrapy.settings import BaseSettings

from timecoverspider.archives import find_archive
from timecoverspider.utils.settings import check_settings


class ArchiveAddon:
    """Checks the settings of every command, and applies those of the archive that the setting ARCHIVE names."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Apply the archive's settings at a priority that -s overrides.

        Raises: SystemExit with status 2, after one line on stderr, if a setting is invalid.
        """
        try:
            check_settings(settings)
            archive = find_archive(settings["ARCHIVE"])
        except ValueError as error:
            _refuse(str(error))
        settings.setdict(archive.settings, priority="addon")


def _refuse(reason: str) -> NoReturn:
    print(f"scrapy: error: {reason}", file=sys.stderr)
    raise SystemExit(2)
