"""A project of the test's own: its spiders, its settings, its data sets, and the site that answers all requests."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from book_site import image_of
from scrapy_command import PROJECT, SPIDER, Done, environment, run_scrapy, scrapy_command
from serving import serving

from timecoverspider.dataset.dataset import Dataset

_HEAD = """
from dataclasses import dataclass, field
from scrapy import Field, Item, Request, Spider
from scrapy.exceptions import CloseSpider
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule, SitemapSpider
"""
#: The pace of a test; all else is as in the project.
_SETTINGS = {"DOWNLOAD_DELAY": 0, "AUTOTHROTTLE_ENABLED": False, "RETRY_BACKOFF": 0}


class OwnProject:
    """A project in a folder, with the spiders of a source text beside those of the package."""

    def __init__(self, folder: Path, source: str = "", **settings: Any) -> None:
        self.folder, self.spiders = folder, folder / "own_spiders"
        self.spiders.mkdir(parents=True, exist_ok=True)
        (self.spiders / "__init__.py").touch()
        self.write(source)
        self.settings(**settings)

    def settings(self, **settings: Any) -> None:
        """Write the settings."""
        modules = ["own_spiders", "timecoverspider.spiders"]
        values = {**_SETTINGS, "FILES_STORE": str(self.folder / "output"), "SPIDER_MODULES": modules, **settings}
        lines = ["from timecoverspider.settings import *", *(f"{name} = {value!r}" for name, value in values.items())]
        (self.folder / "own_settings.py").write_text("\n".join([*lines, ""]))

    def write(self, source: str, file: str = "shapes.py") -> None:
        """Write the source text of spiders."""
        (self.spiders / file).write_text(f"{_HEAD}{source}")

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which scrapy finds the project."""
        path = os.pathsep.join((str(PROJECT), str(self.folder)))
        return {"PYTHONPATH": path, "SCRAPY_SETTINGS_MODULE": "own_settings"}

    def scrapy(self, *arguments: str, **changes: str) -> Done:
        """Run scrapy in the folder."""
        return run_scrapy(*arguments, cwd=self.folder, **self.variables, **changes)

    def crawl(self, name: str, site: Any, *arguments: str) -> Done:
        """Crawl a site with a spider; the feed has the spider's name."""
        return self.served(site, "crawl", name, "-o", f"{name}.json", *arguments)

    def served(self, site: Any, *arguments: str) -> Done:
        """Run scrapy while a site answers all requests, whatever their host."""
        site.requests.clear()
        with serving(site.app) as address:
            return self.scrapy(*arguments, http_proxy=address)

    def kill_crawl(self, name: str, site: Any, requests: int) -> int:
        """Start a crawl, kill it when the site gets so many requests, and return how many records are stored."""
        site.requests.clear()
        command = scrapy_command("crawl", name, "-o", f"{name}.json")
        with serving(site.app) as address:
            variables = environment(http_proxy=address, **self.variables)
            process = subprocess.Popen(command, cwd=self.folder, env=variables, stderr=subprocess.DEVNULL)
            site.on_request = lambda: len(site.requests) >= requests and process.kill()
            process.wait(timeout=60)
        site.on_request = lambda: None
        assert process.returncode == -signal.SIGKILL
        with Dataset(self.data_set(name)) as dataset:
            return dataset.catalog.count()

    def data_set(self, name: str) -> Path:
        """Return the folder of a spider's data set."""
        return self.folder / "output" / ("" if name == SPIDER else name)

    def images(self, name: str) -> list[Path]:
        """Return the stored images of a spider, ordered by name."""
        return sorted((self.data_set(name) / "full").iterdir())

    def records(self, name: str, urls: str = "file_urls", files: str = "files") -> list[dict[str, Any]]:
        """Return the records of a spider's feed. Each image is on disk, and the images are in the order of the URLs."""
        records: list[dict[str, Any]] = json.loads((self.folder / f"{name}.json").read_bytes())
        for record in records:
            assert [file["url"] for file in record[files]] == record[urls]
            for file in record[files]:
                content = (self.data_set(name) / file["path"]).read_bytes()
                assert hashlib.md5(content).hexdigest() == file["checksum"]
        return records


class AnySite:
    """Any sites: pages by URL, and an image at each URL that ends like one; counts requests."""

    def __init__(self, pages: dict[str, str | int]) -> None:
        self.pages = pages
        self.requests: list[str] = []
        #: Called for each request.
        self.on_request: Callable[[], object] = lambda: None

    @property
    def app(self) -> web.Application:
        """The sites as an application, which is a proxy for all of them."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request with its page, its status or its image."""
        url = str(request.url)
        self.requests.append(url)
        self.on_request()
        page = self.pages.get(url)
        if isinstance(page, int):
            return web.Response(status=page)
        if page is not None:
            kind = "application/xml" if page.startswith("<?xml") else "text/html"
            return web.Response(text=page, content_type=kind)
        if request.path.endswith((".jpg", ".jpeg", ".png")):
            number = int.from_bytes(hashlib.sha1(url.encode()).digest()[:2])
            return web.Response(body=image_of(number), content_type="image/jpeg")
        return web.Response(status=404)

    def requested(self) -> list[str]:
        """Return the URLs of all requests but those for robots.txt, in order."""
        return [url for url in self.requests if not url.endswith("/robots.txt")]
