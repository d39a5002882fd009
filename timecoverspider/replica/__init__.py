"""The archive as it stood in 2015, to crawl today: its calendar, pages, pictures and server.

It shares no code with the spider, so that it can prove the spider wrong.
"""
