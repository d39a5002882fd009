"""The record that a crawl collects."""

import scrapy


class MagazineCover(scrapy.Item):
    """One cover, with the tutorial's four fields."""

    title = scrapy.Field()  # str, e.g. "Code Red"
    pubDate = scrapy.Field()  # str, year-month-day, e.g. "2014-03-10"
    file_urls = scrapy.Field()  # list of one str, the image's URL
    files = scrapy.Field()  # list of one dict: url, path below FILES_STORE, MD5 checksum
