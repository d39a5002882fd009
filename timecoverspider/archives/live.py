"""The live archive."""

from collections.abc import Mapping
from typing import Any, ClassVar

from timecoverspider.archives.base import Archive


class LiveArchive(Archive):
    """Replaces no host: all requests go to the live sites."""

    name = "live"
    description = "the live one"
    # To protect the sites. AutoThrottle never makes the delay shorter than DOWNLOAD_DELAY.
    settings: ClassVar[Mapping[str, Any]] = {
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
        "DOWNLOAD_DELAY": 1.0,
    }
