"""The item that the spider yields for each cover."""

import scrapy


class MagazineCover(scrapy.Item):
    """A cover, with the four fields of the tutorial."""

    title = scrapy.Field()  # str, e.g. "Code Red"
    pubDate = scrapy.Field()  # str, year-month-day, e.g. "2014-03-10"
    file_urls = scrapy.Field()  # list of one str, the image's URL
    files = scrapy.Field()  # list of one dict: url, path below FILES_STORE, MD5 checksum
