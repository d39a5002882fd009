"""A replica of the archive of 2015: its dates, pages and images, and an HTTP server.

The replica shares no code with the spider, so that it can show errors of the spider.
"""
