"""The record that a crawl collects."""

from typing import Self

import scrapy


class MagazineCover(scrapy.Item):
    """One cover, with the tutorial's four fields."""

    title = scrapy.Field()  # str, e.g. "Code Red"
    pubDate = scrapy.Field()  # str, year-month-day, e.g. "2014-03-10"
    file_urls = scrapy.Field()  # list of one str, the picture's URL
    files = scrapy.Field()  # list of one dict: url, path below FILES_STORE, MD5 checksum

    _page_url = ""

    @property
    def page_url(self) -> str:
        """The page it was found on: by this the catalog knows it, and it is no part of the record."""
        return self._page_url

    def found_on(self, page_url: str) -> Self:
        """Note the page it was found on."""
        self._page_url = page_url
        return self
