"""Send requests as a crawl sends them: through the engine, the middlewares and the handler of the project."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from scrapy import Spider
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.http import Request, Response
from scrapy.settings import Settings
from serving import Handler, serving

# The project's settings, but without what a data set needs, the throttle of the live archive, and retries.
_CHANGES = {"ADDONS": {}, "ARCHIVE": "live", "LOG_FORMATTER": "scrapy.logformatter.LogFormatter", "RETRY_TIMES": 0}
_EVERY_STATUS = {"dont_redirect": True, "handle_httpstatus_all": True}


def crawl(*requests: Request, **settings: Any) -> tuple[dict[str, Response | Exception], Crawler]:
    """Send requests in one crawl, and return the response or the error of each, by URL."""
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


def app_of(handler: Handler) -> web.Application:
    """Return an application whose requests this handler answers."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def download_from(handler: Handler, path: str = "/", settings: dict[str, Any] | None = None, **meta: Any) -> Response:
    """Download from a server whose requests this handler answers."""
    with serving(app_of(handler)) as address:
        return download(f"{address}{path}", settings, **meta)


def answering(body: bytes = b"", **more: Any) -> Handler:
    """Return a handler that gives a response with this body."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, **more)

    return handle


def writing(raw: bytes) -> Handler:
    """Return a handler that writes these bytes, whatever HTTP says, and cuts the connection."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.write(raw)
        request.transport.close()
        return web.Response()

    return handle
