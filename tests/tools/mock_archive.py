"""The replica on a server of the test's own, which counts requests and answers some of them as the test says."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from aiohttp import web
from scrapy_command import Done, crawl_arguments, run_scrapy
from serving import Handler, serving
from yarl import URL

from timecoverspider.replica.app import make_app
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import listing_url

DAYS = issue_dates(40)
INDEX = str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))
FIRST_LISTING = str(URL(f"{listing_url()}&sid=150424A4D8E2&internalid=endeca_dimension"))
ROBOTS = "http://search.time.com/robots.txt"


class MockArchive:
    """A replica with issues of the given dates, each response late by *latency* seconds."""

    def __init__(self, days: Sequence[date] = DAYS, latency: float = 0) -> None:
        #: The URLs of all requests, in order.
        self.requests: list[str] = []
        #: By host, how many requests were in flight at the same time at most.
        self.most_in_flight: Counter[str] = Counter()
        #: By URL, what is sent in place of the replica's response: a body, a status, or the response of a function.
        self.answers: dict[str, str | bytes | int | Handler] = {}
        self._in_flight: Counter[str] = Counter()
        self._days, self._latency = days, latency

    @property
    def app(self) -> web.Application:
        """The archive as an application, for one server."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        app = make_app(self._days, self._latency)
        app.middlewares.append(answer)
        return app

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        url, host = str(request.url), request.url.host or ""
        self.requests.append(url)
        self._in_flight[host] += 1
        self.most_in_flight[host] = max(self.most_in_flight[host], self._in_flight[host])
        try:
            match self.answers.get(url):
                case None:
                    return await handler(request)
                case int() as status:
                    return web.Response(status=status)
                case str() as page:
                    return web.Response(text=page, content_type="text/html")
                case bytes() as body:
                    return web.Response(body=body, content_type="image/jpeg")
                case answer:
                    return await answer(request)
        finally:
            self._in_flight[host] -= 1

    @property
    def hosts(self) -> set[str | None]:
        """The hosts that requests were sent to."""
        return {URL(url).host for url in self.requests}

    def requests_to(self, host: str) -> list[str]:
        """Return the URLs of all requests to a host but for its robots.txt."""
        return [url for url in self.requests if url.startswith(f"http://{host}/") and not url.endswith("robots.txt")]

    def crawl(self, folder: Path, *arguments: str, feed: str = "output.json") -> Done:
        """Run the cover spider on this archive, with its data set in a folder of the test's."""
        self.requests.clear()
        with serving(self.app) as address:
            return run_scrapy(*crawl_arguments(folder, feed), *arguments, cwd=folder, http_proxy=address)


def redirect(to: str, status: int = 302) -> Handler:
    """Return a handler that redirects each request."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": to})

    return handle


def page(text: str = "<p>Come back later</p>") -> web.Response:
    """Return a response that is an HTML page."""
    return web.Response(text=text, content_type="text/html")


def failing(times: int, wrong: Callable[[], web.StreamResponse], right: str | bytes) -> Handler:
    """Return a handler that answers wrongly so many times, and then with a page or an image."""
    requests: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        if len(requests) <= times:
            return wrong()
        return page(right) if isinstance(right, str) else web.Response(body=right, content_type="image/jpeg")

    return handle
