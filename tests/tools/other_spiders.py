"""Crawls with spiders of other shapes, each given as a source text."""

import os
from pathlib import Path
from typing import Any

from mock_archive import DAYS, MockArchive
from scrapy_command import FULL_SPEED, PROJECT, SPIDER, Done, run_scrapy
from serving import serving

from timecoverspider.replica.pages import image_url

# The beginning of each source text: what follows is the body of Shape.
_HEAD = """
from scrapy import Request, Spider, signals
from scrapy.exceptions import DropItem
from scrapy.spiders import CrawlSpider, Rule
from scrapy.linkextractors import LinkExtractor
from timecoverspider.spiders.coverspider import CoverSpider

class Shape(CoverSpider):
    name = "shape"
"""


def crawl(folder: Path, archive: MockArchive, source: str, *arguments: str, name: str = "shape") -> Done:
    """Crawl an archive with the spider in a source text; with the name of the cover spider, on its data set."""
    text = f"{_HEAD}{source if source.strip() else '    pass'}"
    (folder / "shapes.py").write_text(text.replace('"shape"', f'"{name}"') if name == SPIDER else text)
    command = ["crawl", name, "-o", "output.json", "-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]
    path = os.pathsep.join((str(PROJECT), str(folder)))
    archive.requests.clear()
    with serving(archive.app) as address:
        return run_scrapy(
            *command, "-s", "SPIDER_MODULES=shapes", *arguments, cwd=folder, PYTHONPATH=path, http_proxy=address
        )


_SHOP = """
class Shop(Spider):
    name = "shop"
    start_urls = ["http://search.time.com/shop"]
    allowed_domains = CoverSpider.allowed_domains
"""


def shop(folder: Path, pages: dict[str, Any], source: str, *arguments: str) -> tuple[Done, MockArchive]:
    """Crawl a shop on the archive's first host. *pages* are its answers by path, as in ``MockArchive.answers``."""
    archive = MockArchive(DAYS[:5])
    archive.answers = {f"http://search.time.com{path}": page for path, page in pages.items()}
    return crawl(folder, archive, f"    pass\n{_SHOP}{source}", *arguments, name="shop"), archive


def links(*paths: str) -> str:
    """Return a page with links to these paths."""
    return "".join(f"<a href='{path}'>x</a>" for path in paths) + "</html>"


def image_tags(*images: int) -> str:
    """Return a page with the images of these numbers."""
    return "".join(f"<img src='{image_url(DAYS[number])}'>" for number in images) + "</html>"


#: The body of a shop's spider, whose pages show one item for each image.
IMAGES = """
    def parse(self, response):
        yield from response.follow_all(css="a", callback=self.read)

    def read(self, response):
        for url in response.css("img::attr(src)").getall():
            yield {"url": response.url, "file_urls": [url], **self.more(response)}

    def more(self, response):
        return {}
"""
