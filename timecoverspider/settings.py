"""Every value that differs from Scrapy's default, and why."""

from pathlib import Path

BOT_NAME = "timecoverspider"
SPIDER_MODULES = ["timecoverspider.spiders"]
COMMANDS_MODULE = "timecoverspider.commands"
ADDONS = {"timecoverspider.addons.ArchiveAddon": 0, "timecoverspider.logs.LogAddon": 0}

# Which archive requests go to: "replica", the one that the project carries, or "live".
ARCHIVE = "replica"

# What a crawl makes.
FILES_STORE = str(Path(__file__).resolve().parent.parent / "output")
ITEM_PIPELINES = {"timecoverspider.pipelines.CoverPipeline": 1}
SPIDER_MIDDLEWARES = {"timecoverspider.middlewares.UnreadablePageMiddleware": 100}
REQUEST_FINGERPRINTER_CLASS = "timecoverspider.middlewares.SessionlessFingerprinter"
FEED_EXPORT_ENCODING = "utf-8"  # as the page has it, not as \u escapes

# Manners. 8 requests in flight per host are Scrapy's default.
USER_AGENT = "timecoverspider (collects magazine covers for computer vision, obeys robots.txt)"
ROBOTSTXT_OBEY = True
COOKIES_ENABLED = False  # the archive needs none
CONCURRENT_REQUESTS = 24  # 8 for each of the archive's three hosts

# Safety.
DOWNLOAD_VERIFY_CERTIFICATES = True
DOWNLOAD_MAXSIZE = 16 * 2**20  # bytes; a cover is 40 to 100 KB
DOWNLOAD_TIMEOUT = 30  # seconds
TELNETCONSOLE_ENABLED = False  # nobody needs a port
REMOTE_CONTROL_ENABLED = False  # that runs code

# Speed. Without the Twisted reactor Scrapy downloads with aiohttp, which really keeps the limits per
# host; its own handler does not while DOWNLOAD_DELAY is 0.
TWISTED_REACTOR_ENABLED = False
CONCURRENT_ITEMS = 8  # Scrapy starts as many tasks for every response, and a page has at most 16 links

# The screen.
LOG_LEVEL = "INFO"
LOG_FORMATTER = "timecoverspider.logs.CoverLogFormatter"
LOGSTATS_INTERVAL = 15.0  # seconds between two lines of Progress where there is no terminal
EXTENSIONS = {
    "scrapy.extensions.logstats.LogStats": None,  # Progress counts covers, not pages
    "timecoverspider.extensions.Progress": 0,
}
