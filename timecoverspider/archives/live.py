"""The live sites."""

from collections.abc import Mapping
from typing import Any, ClassVar

from timecoverspider.archives.base import Archive


class LiveArchive(Archive):
    """Stands in for no host."""

    name = "live"
    description = "the live one"
    # Nobody should be hurt. AutoThrottle only ever goes slower.
    settings: ClassVar[Mapping[str, Any]] = {
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
        "DOWNLOAD_DELAY": 1.0,
    }
