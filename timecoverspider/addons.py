"""What has to be settled before a crawler is made."""

import sys
from typing import Any

from scrapy.settings import BaseSettings

# Nobody should be hurt. Each can be overridden with -s, and AutoThrottle only ever goes slower.
_LIVE: dict[str, Any] = {
    "AUTOTHROTTLE_ENABLED": True,
    "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
    "DOWNLOAD_DELAY": 1.0,
}


class ArchiveAddon:
    """Points all commands at the archive that the setting ARCHIVE names: ``replica`` or ``live``."""

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Set what that archive needs, at a priority that -s overrides.

        Ends the process with one line and exit status 2 where there is no such archive.
        """
        archive = settings["ARCHIVE"]
        if archive == "live":
            settings.setdict(_LIVE, priority="addon")
        elif archive != "replica":
            print(f"scrapy: error: ARCHIVE must be replica or live, not {archive!r}", file=sys.stderr)
            raise SystemExit(2)


class LeanAddon:
    """Has components that are set to None not even imported: Scrapy imports them to see which ones are meant."""

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Take them out of Scrapy's lists, where they are named alike, and out of the project's."""
        for name in ("DOWNLOADER_MIDDLEWARES", "EXTENSIONS", "SPIDER_MIDDLEWARES"):
            base, own = settings[f"{name}_BASE"], settings[name]
            for component in [key for key, order in own.items() if order is None and key in base]:
                del base[component], own[component]
