"""The replica that this project carries."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack

from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.archives.base import Archive


class ReplicaArchive(Archive):
    """Starts the replica in this process at the first request, and sends requests through it as through a proxy."""

    name = "replica"
    description = "the replica that this project carries: its pictures are drawn, they are not TIME's"

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._running = AsyncExitStack()
        self._proxy: asyncio.Future[str] | None = None

    @property
    def hosts(self) -> Collection[str]:
        from timecoverspider.replica.pages import HOSTS  # noqa: PLC0415 (the other archives do not need it)

        return HOSTS

    async def process_request(self, request: Request) -> None:
        if self._proxy is None:
            self._proxy = asyncio.ensure_future(self._start())
        request.meta["proxy"] = await asyncio.shield(self._proxy)

    async def _start(self) -> str:
        from timecoverspider.replica.app import make_app, serve  # noqa: PLC0415 (0.1 s)

        return await self._running.enter_async_context(serve(make_app()))

    async def close(self) -> None:
        await self._running.aclose()
