"""Settings that Scrapy must know before it creates a crawler."""

import sys

from scrapy.settings import BaseSettings

from timecoverspider.archives import find_archive


class ArchiveAddon:
    """Applies the settings of the archive that the setting ARCHIVE names, in every command."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Apply the archive's settings at a priority that -s overrides.

        Raises: SystemExit with status 2, after one line on stderr, if there is no such archive.
        """
        try:
            archive = find_archive(settings["ARCHIVE"])
        except ValueError as error:
            print(f"scrapy: error: {error}", file=sys.stderr)
            raise SystemExit(2) from error
        settings.setdict(archive.settings, priority="addon")
