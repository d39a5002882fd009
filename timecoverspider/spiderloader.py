"""Load the spiders of the project."""

import logging
import sys
import traceback
from importlib import import_module
from pkgutil import walk_packages

from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

logger = logging.getLogger(__name__)


class StrictSpiderLoader(SpiderLoader):
    """Scrapy's loader, but a file that cannot be imported does not hide the others, and names must be unique.

    Scrapy 2.19 ends with a traceback, or with SPIDER_LOADER_WARN_ONLY ignores the files that come after. Of two spiders
    with one name, it takes one and warns.

    Raises: SystemExit with status 2, after one line on stderr, if two spiders have the same name.
    """

    def __init__(self, settings: BaseSettings) -> None:
        self.failed: dict[str, str] = {}  # by module, why it could not be imported
        super().__init__(settings)

    def _load_all_spiders(self) -> None:
        for name in self.spider_modules:
            package = self._load(name)
            for module in walk_packages(getattr(package, "__path__", ()), f"{name}."):
                self._load(module.name)
        for name, places in self._found.items():
            if len(places) > 1:
                files = " and ".join(f"{module}.{spider}" for module, spider in places)
                print(f"scrapy: error: two spiders have the name {name!r}: {files}", file=sys.stderr)  # noqa: T201
                raise SystemExit(2)

    def _load(self, name: str) -> object:
        try:
            module = import_module(name)
        except Exception as error:  # noqa: BLE001 (whatever the file does)
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
            line = getattr(error, "lineno", None) or lines[-1]
            self.failed[name] = f"{type(error).__name__}: {error} (line {line})"
            logger.error("Cannot import the spiders of %s: %s", name, self.failed[name])
            return None
        self._load_spiders(module)
        return module
