"""A Scrapy project that collects the covers of TIME magazine's archive."""

__version__ = "0.5.0"
