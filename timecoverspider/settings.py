"""All settings that differ from Scrapy's defaults, each with the reason."""

from pathlib import Path

BOT_NAME = "timecoverspider"
SPIDER_MODULES = ["timecoverspider.spiders"]
NEWSPIDER_MODULE = "timecoverspider.spiders"
SPIDER_LOADER_CLASS = "timecoverspider.spiderloader.StrictSpiderLoader"
COMMANDS_MODULE = "timecoverspider.commands"
ADDONS = {
    "timecoverspider.addons.ArchiveAddon": 0,
    "timecoverspider.logformatter.LogAddon": 0,
}

# The archive that answers requests: "replica", which is part of this project, or "live".
ARCHIVE = "replica"

# The data set. Only scrapy crawl and scrapy verify use it: they set DATASET_ENABLED.
FILES_STORE = str(Path(__file__).resolve().parent.parent / "output")
MAIN_SPIDER = "pyimagesearch-cover-spider"  # FILES_STORE is its data set, and FILES_STORE/<name> that of another spider
CATALOG_URL = ""  # postgresql://user:password@host/name or sqlite:////path; if empty, catalog.db in FILES_STORE
ITEM_PIPELINES = {"timecoverspider.pipelines.ImageStorePipeline": 1}
FEED_EXPORT_ENCODING = "utf-8"  # characters as on the page, without \u escapes
FEED_EXPORTERS = {
    "csv": "timecoverspider.exporters.SpreadsheetCsvItemExporter",  # columns in place of Python literals
    "xml": "timecoverspider.exporters.ValidXmlItemExporter",
}
FEED_STORAGES = {
    "": "timecoverspider.extensions.feedexport.AtomicFeedStorage",
    "file": "timecoverspider.extensions.feedexport.AtomicFeedStorage",
}

# Which pages are requested.
SPIDER_MIDDLEWARES = {
    # Closer to the spider than DepthMiddleware (900), because both must see the requests that DepthMiddleware drops.
    "timecoverspider.spidermiddlewares.failed_pages.FailedPagesMiddleware": 950,
    "timecoverspider.spidermiddlewares.incremental.IncrementalCrawlMiddleware": 960,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,  # it only warns authors of spiders
}
URLLENGTH_LIMIT = 0  # no limit: a page must not be dropped because of a long URL
METAREFRESH_ENABLED = False  # no page of the archive has a meta refresh
REQUEST_FINGERPRINTER_CLASS = "timecoverspider.utils.request.PageFingerprinter"
AUDIT_EVERY_DAYS = 30  # days after which a crawl reads all listings again
UNREADABLE_LIMIT = 0.5  # if the share of invalid cover pages is larger, the crawl ends

# Politeness. At most 8 requests in flight per host: Scrapy's default.
USER_AGENT = "timecoverspider (collects magazine covers for computer vision, obeys robots.txt)"
ROBOTSTXT_OBEY = True
CONCURRENT_REQUESTS = 24  # 8 for each of the archive's three hosts

# Failed requests and invalid pages or images are retried, after a longer delay each time.
RETRY_TIMES = 4
RETRY_BACKOFF = 0.5  # seconds before the first retry, doubled for each further retry; Retry-After can make it longer
RETRY_EXCEPTIONS = [  # the errors of HTTPDownloadHandler; Scrapy's default list also imports Twisted, which is slow
    "scrapy.exceptions.CannotResolveHostError",
    "scrapy.exceptions.DownloadConnectionRefusedError",
    "scrapy.exceptions.DownloadFailedError",
    "scrapy.exceptions.DownloadTimeoutError",
    "scrapy.exceptions.ResponseDataLossError",
    OSError,
]
RETRY_GIVE_UP_LOG_LEVEL = "DEBUG"  # CrawlState logs each failed page and image

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
    "timecoverspider.downloadermiddlewares.archive.ArchiveMiddleware": 740,  # before the proxies are set
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
    "timecoverspider.downloadermiddlewares.httpproxy.CachedHttpProxyMiddleware": 750,
    "scrapy.downloadermiddlewares.stats.DownloaderStats": None,
    "timecoverspider.downloadermiddlewares.stats.LeanDownloaderStats": 850,
}
DOWNLOAD_VERIFY_CERTIFICATES = True
DOWNLOAD_MAXSIZE = 16 * 2**20  # bytes; an image has 40 to 100 KB
PAGE_MAXSIZE = 2 * 2**20  # bytes; a page of the archive has less than 100 KB
DOWNLOAD_TIMEOUT = 30  # seconds

# Speed. aiohttp respects the limits per host; Scrapy's handler for Twisted does not if DOWNLOAD_DELAY is 0.
TWISTED_REACTOR_ENABLED = False
DOWNLOAD_HANDLERS = {
    "http": "timecoverspider.downloadhandlers.HTTPDownloadHandler",
    "https": "timecoverspider.downloadhandlers.HTTPDownloadHandler",
}
ASYNCIO_EVENT_LOOP = "uvloop.Loop"  # a full crawl takes 10 % less time
SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"  # the default balances many hosts; this crawl has three
SCRAPER_SLOT_MAX_ACTIVE_SIZE = 500_000  # bytes of pages that wait for their images; each page counts as at least 1 KB

# Log and progress.
LOG_LEVEL = "INFO"
LOG_FORMATTER = "timecoverspider.logformatter.QuietLogFormatter"
LOGSTATS_INTERVAL = 15.0  # seconds between two progress lines if stderr is not a terminal
EXTENSIONS = {
    # These two open a port that can run code.
    "scrapy.extensions.remote_control.RemoteControl": None,
    "scrapy.extensions.telnet.TelnetConsole": None,
    "scrapy.extensions.logstats.LogStats": None,  # Progress shows covers instead of pages
    "scrapy.extensions.feedexport.FeedExporter": None,  # DatasetExporter writes all records, not only the new ones
    "timecoverspider.extensions.crawl_state.CrawlState": 0,
    "timecoverspider.extensions.item_store.ItemStore": 0,
    "timecoverspider.extensions.feedexport.DatasetExporter": 0,
    "timecoverspider.extensions.progress.Progress": 0,
}
