"""Every value that differs from Scrapy's default, and why."""

from pathlib import Path

BOT_NAME = "timecoverspider"
SPIDER_MODULES = ["timecoverspider.spiders"]
COMMANDS_MODULE = "timecoverspider.commands"
ADDONS = {
    "timecoverspider.addons.ArchiveAddon": 0,
    "timecoverspider.logformatter.LogAddon": 0,
}

# Which archive requests go to: "replica", the one that the project carries, or "live".
ARCHIVE = "replica"

# What a crawl makes. Only scrapy crawl works on it (it sets DATASET_ENABLED); shell, parse and the others do not.
FILES_STORE = str(Path(__file__).resolve().parent.parent / "output")
CATALOG_URL = ""  # postgresql://user:password@host/name or sqlite:////path; where empty, catalog.db in FILES_STORE
ITEM_PIPELINES = {"timecoverspider.pipelines.ImageStorePipeline": 1}
FEED_EXPORT_ENCODING = "utf-8"  # as the page has it, not as \u escapes
FEED_STORAGES = {
    "": "timecoverspider.extensions.feedexport.AtomicFeedStorage",
    "file": "timecoverspider.extensions.feedexport.AtomicFeedStorage",
}

# What is asked for.
SPIDER_MIDDLEWARES = {
    # Nearer to the spider than DepthMiddleware (900), which drops requests that they must have seen.
    "timecoverspider.spidermiddlewares.failed_pages.FailedPagesMiddleware": 950,
    "timecoverspider.spidermiddlewares.incremental.IncrementalCrawlMiddleware": 960,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,  # a warning for who writes a spider
}
URLLENGTH_LIMIT = 0  # a page is not dropped because its URL is long
METAREFRESH_ENABLED = False  # the archive's pages have none
REQUEST_FINGERPRINTER_CLASS = "timecoverspider.utils.request.PageFingerprinter"
AUDIT_EVERY_DAYS = 30  # days after which a crawl walks through all listings again
UNREADABLE_LIMIT = 0.5  # share of cover pages that make no sense at which a crawl ends

# Manners. 8 requests in flight per host are Scrapy's default.
USER_AGENT = "timecoverspider (collects magazine covers for computer vision, obeys robots.txt)"
ROBOTSTXT_OBEY = True
CONCURRENT_REQUESTS = 24  # 8 for each of the archive's three hosts

# What fails, or makes no sense, is tried again after half a second, and later each time.
RETRY_TIMES = 4
RETRY_BACKOFF = 0.5  # seconds, twice as many after each failure, unless the server asks for more with Retry-After
RETRY_EXCEPTIONS = [  # what HTTPDownloadHandler raises; the default list also has Twisted's, which take long to import
    "scrapy.exceptions.CannotResolveHostError",
    "scrapy.exceptions.DownloadConnectionRefusedError",
    "scrapy.exceptions.DownloadFailedError",
    "scrapy.exceptions.DownloadTimeoutError",
    "scrapy.exceptions.ResponseDataLossError",
    OSError,
]
RETRY_GIVE_UP_LOG_LEVEL = "DEBUG"  # the dataset says what is missing

# Safety.
REDIRECT_MAX_TIMES = 5
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
    "timecoverspider.downloadermiddlewares.offsite.StrictOffsiteMiddleware": 50,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "timecoverspider.downloadermiddlewares.robotstxt.StrictRobotsTxtMiddleware": 100,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "timecoverspider.downloadermiddlewares.retry.BackoffRetryMiddleware": 550,
    "timecoverspider.downloadermiddlewares.encoding.EncodingMiddleware": 570,
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
    "timecoverspider.downloadermiddlewares.httpcompression.StrictHttpCompressionMiddleware": 590,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "timecoverspider.downloadermiddlewares.redirect.PersistentRedirectMiddleware": 600,
    "timecoverspider.downloadermiddlewares.archive.ArchiveMiddleware": 740,  # before the proxies
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
    "timecoverspider.downloadermiddlewares.httpproxy.CachedHttpProxyMiddleware": 750,
    "scrapy.downloadermiddlewares.stats.DownloaderStats": None,
    "timecoverspider.downloadermiddlewares.stats.LeanDownloaderStats": 850,
}
DOWNLOAD_VERIFY_CERTIFICATES = True
DOWNLOAD_MAXSIZE = 16 * 2**20  # bytes; a cover is 40 to 100 KB
DOWNLOAD_TIMEOUT = 30  # seconds

# Speed. aiohttp keeps the limits per host; Scrapy's handler for Twisted does not while DOWNLOAD_DELAY is 0.
TWISTED_REACTOR_ENABLED = False
DOWNLOAD_HANDLERS = {
    "http": "timecoverspider.downloadhandlers.HTTPDownloadHandler",
    "https": "timecoverspider.downloadhandlers.HTTPDownloadHandler",
}
ASYNCIO_EVENT_LOOP = "uvloop.Loop"  # a tenth less time for a whole crawl
SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"  # the default one balances hosts, and here are three
SCRAPER_SLOT_MAX_ACTIVE_SIZE = 500_000  # bytes of pages whose pictures are on their way, of 1 KB each at the least
CONCURRENT_ITEMS = 1  # Scrapy starts as many tasks for every response, and a page shows one cover

# The screen.
LOG_LEVEL = "INFO"
LOG_FORMATTER = "timecoverspider.logformatter.QuietLogFormatter"
LOGSTATS_INTERVAL = 15.0  # seconds between two lines of Progress where there is no terminal
EXTENSIONS = {
    # Nobody needs a port that runs code.
    "scrapy.extensions.remote_control.RemoteControl": None,
    "scrapy.extensions.telnet.TelnetConsole": None,
    "scrapy.extensions.logstats.LogStats": None,  # Progress counts covers, not pages
    "scrapy.extensions.feedexport.FeedExporter": None,  # DatasetExporter publishes all covers, not just the new ones
    "timecoverspider.extensions.crawl_state.CrawlState": 0,
    "timecoverspider.extensions.item_store.ItemStore": 0,
    "timecoverspider.extensions.feedexport.DatasetExporter": 0,
    "timecoverspider.extensions.progress.Progress": 0,
}
