"""What has to be settled before a crawler is made."""

import sys

from scrapy.settings import BaseSettings

from timecoverspider.archives import find_archive


class ArchiveAddon:
    """Give all commands the manners of the archive that the setting ARCHIVE names."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Set what the archive needs, at a priority that -s overrides.

        Raises: SystemExit with status 2, after one line, if there is no such archive.
        """
        try:
            archive = find_archive(settings["ARCHIVE"])
        except ValueError as error:
            print(f"scrapy: error: {error}", file=sys.stderr)
            raise SystemExit(2) from error
        settings.setdict(archive.settings, priority="addon")
