"""The replica of the archive, which is part of this project."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack

from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.archives.base import Archive


class ReplicaArchive(Archive):
    """Starts the replica in this process at the first request, and uses it as a proxy for all requests to its hosts."""

    name = "replica"
    description = "the replica in this project: its images are drawn by a program, they are not TIME's"

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._running = AsyncExitStack()
        self._proxy: asyncio.Future[str] | None = None

    @classmethod
    def hosts(cls) -> Collection[str]:
        try:
            from timecoverspider.replica.pages import HOSTS  # noqa: PLC0415 (the other archives do not need it)
        except ModuleNotFoundError:  # a project without the replica
            return ()
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
