"""A request sent as a crawl sends it: through the engine, the project's middlewares and its handler."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from scrapy import Spider
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.http import Request, Response
from scrapy.settings import Settings

# The project's settings, but without what a data set needs, the throttle of the live archive, and retries.
_CHANGES = {"ADDONS": {}, "ARCHIVE": "live", "LOG_FORMATTER": "scrapy.logformatter.LogFormatter", "RETRY_TIMES": 0}
_EVERY_STATUS = {"dont_redirect": True, "handle_httpstatus_all": True}


def crawl(*requests: Request, **settings: Any) -> tuple[dict[str, Response | Exception], Crawler]:
    """Send requests in one crawl, and give what became of each, by URL."""
    results: dict[str, Response | Exception] = {}

    class OneSpider(Spider):
        name = "one"

        async def start(self) -> AsyncIterator[Request]:
            for request in requests:
                yield request.replace(
                    callback=lambda response, url=request.url: results.update({url: response}),
                    errback=lambda failure, url=request.url: results.update({url: failure.value}),
                )

    async def run() -> Crawler:
        project = Settings()
        project.setmodule("timecoverspider.settings")
        project.setdict({**_CHANGES, "ROBOTSTXT_OBEY": False, "RETRY_BACKOFF": 0, **settings})
        runner = AsyncCrawlerRunner(project)
        crawler = runner.create_crawler(OneSpider)
        await runner.crawl(crawler)
        return crawler

    crawler = asyncio.run(run())
    return results, crawler


def download(url: str, settings: dict[str, Any] | None = None, **meta: Any) -> Response:
    """Download one URL, whatever its status. Raises what an errback gets."""
    results, _ = crawl(Request(url, meta={**_EVERY_STATUS, **meta}), **(settings or {}))
    [result] = results.values()
    if isinstance(result, Exception):
        raise result
    return result
