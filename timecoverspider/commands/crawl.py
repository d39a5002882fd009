"""``scrapy crawl``: update the data set, and return an exit status for each outcome."""

import argparse
import asyncio
import gc
import logging
import re
import sys
from typing import Any, ClassVar, NoReturn

from scrapy import Spider
from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.crawler import Crawler, CrawlerProcessBase
from scrapy.exceptions import UsageError

logger = logging.getLogger(__name__)

# The arguments of this project; all others are the spider's.
_SPIDER_ARGUMENTS = {
    "full": re.compile("[01]"),
    "refresh": re.compile("[01]"),
    "limit": re.compile("[1-9][0-9]{0,8}", re.ASCII),
    "only": re.compile("failed"),
}


def _refuse(reason: str) -> NoReturn:
    print(f"scrapy crawl: error: {reason}", file=sys.stderr)
    raise SystemExit(2)


def run_crawl(process: CrawlerProcessBase, crawler: Crawler, **arguments: Any) -> int:
    """Run a crawl of the data set to its end, and return its exit status."""
    # Imported here because they are slow to import, and --help and wrong usage do not need them.
    from timecoverspider.exceptions import CrawlError, InterruptedCrawlError  # noqa: PLC0415
    from timecoverspider.extensions.crawl_state import CrawlState  # noqa: PLC0415
    from timecoverspider.extensions.shutdown import NotStarted, Shutdown  # noqa: PLC0415

    with Shutdown(crawler):
        crawl = asyncio.ensure_future(process.crawl(crawler, **arguments))
        gc.freeze()  # modules stay in memory until the end
        gc.set_threshold(50_000, 20, 50)  # there are many requests and responses, but hardly any reference cycles
        try:
            process.start(install_signal_handlers=False)
        except NotStarted as interrupted:
            logger.critical("Not started: interrupted by %s", interrupted.outcome)
            return interrupted.outcome.exit_status
        gc.freeze()  # no garbage collection at exit
    error = None if crawl.cancelled() else crawl.exception()
    if isinstance(error, NotStarted):
        error = error.outcome
    if isinstance(error, CrawlError):
        by = "interrupted by " if isinstance(error, InterruptedCrawlError) else ""
        logger.critical("Not started: %s%s", by, error)
        return error.exit_status
    if error is not None:
        logger.critical("Crashed: %s", error, exc_info=error)
        return 1
    state = crawler.get_extension(CrawlState)
    if state is None:
        return 1
    return state.outcome.exit_status if state.outcome else 0


class Command(ScrapyCrawl):
    """Scrapy's command, but it updates the data set, and its exit status says how the crawl ended."""

    default_settings: ClassVar[dict[str, Any]] = {"DATASET_ENABLED": True}

    def short_desc(self) -> str:
        return "Update the data set"

    def long_desc(self) -> str:
        return (
            "Collect the covers that are not stored yet, and write the whole data set to FILE. "
            "-a full=1 reads all listings, -a refresh=1 also requests every stored page again, -a limit=50 ends after "
            "50 records, -a only=failed requests only the pages that failed last, and no listings; other arguments "
            "reach the spider. "
            "Exit status: 0 the data set is complete; 1 the crawl was aborted or could not start; 2 wrong usage; "
            "3 some covers are missing; 4 the archive could not be read; 5 another crawl is running; "
            "130 or 143 interrupted."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        for option in ("-o", "-O"):  # Scrapy 2.19 says that -o appends
            parser._option_string_actions[option].help = (
                "replace FILE with the whole data set (- for stdout); -o and -O mean the same; "
                "FILE:FORMAT sets the format"
            )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        feeds = [re.sub(r":\w+$", "", uri) for uri in (opts.output or []) + (opts.overwrite_output or []) if uri != "-"]
        if twice := [feed for feed in feeds if feeds.count(feed) > 1]:
            _refuse(f"the feed {twice[0]} is named twice")  # Scrapy would take the last one
        try:
            super().process_options(args, opts)
            if opts.profile:
                with open(opts.profile, "ab"):  # noqa: PTH123 (Scrapy writes it at the end)
                    pass
        except OSError as error:
            _refuse(f"cannot write {error.filename}: {error.strerror}")
        for name, value in opts.spargs.items():
            if name in _SPIDER_ARGUMENTS and not _SPIDER_ARGUMENTS[name].fullmatch(value):
                _refuse(f"-a {name}={value}: use -a full=1, -a refresh=1, -a limit=50, -a only=failed")
            if name == "only" and "1" in (opts.spargs.get("full"), opts.spargs.get("refresh")):
                _refuse("-a only=failed reads no listings: leave out -a full=1 and -a refresh=1")
            if name == "repair":
                _refuse("-a repair is for scrapy verify --repair")
        assert self.settings is not None  # noqa: S101 (set by scrapy.cmdline)
        if self.settings["JOBDIR"]:
            _refuse("JOBDIR is not supported: to continue an aborted crawl, run the same command again")
        if self.settings.getbool("HTTPCACHE_ENABLED"):
            _refuse("HTTPCACHE_ENABLED is not supported: cached pages would hide new covers")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        # Without this import, an exit before the crawl logs an error of the event loop, which is collected too late.
        import timecoverspider.extensions.crawl_state  # noqa: F401, PLC0415

        assert self.crawler_process is not None  # noqa: S101 (set by scrapy.cmdline)
        if len(args) != 1:
            raise UsageError("name one spider")
        names = self.crawler_process.spider_loader.list()
        if args[0] not in names:
            _refuse(f"there is no spider {args[0]!r}; the spiders are: {', '.join(names)}")
        spider = self.crawler_process.spider_loader.load(args[0])
        if hasattr(spider, "start_requests") and spider.start is Spider.start:
            _refuse(
                f"the spider {args[0]!r} has start_requests, which Scrapy 2.19 does not call: rename it to async start"
            )

        self.exitcode = run_crawl(self.crawler_process, self._create_crawler(args[0]), **opts.spargs)
