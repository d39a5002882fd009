"""Serve an application on a server of the test's own."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from queue import Queue

from aiohttp import web
from aiohttp.log import server_logger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def serving(app: web.Application, logger: logging.Logger = server_logger) -> Iterator[str]:
    """Serve an application in a thread while the context lasts, and return its address.

    Errors of requests go to *logger*.
    The address can be that of a site, or of a proxy for any sites.
    """
    addresses: Queue[str | BaseException] = Queue()
    stopped = threading.Event()

    async def run() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, logger=logger)
        try:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            addresses.put(f"http://127.0.0.1:{runner.addresses[0][1]}")
            await asyncio.to_thread(stopped.wait)
        except BaseException as error:
            addresses.put(error)
            raise
        finally:
            await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        address = addresses.get(timeout=60)
        if isinstance(address, BaseException):
            raise address
        yield address
    finally:
        stopped.set()
        thread.join()
