"""A Scrapy project that collects the covers of TIME magazine's archive."""
