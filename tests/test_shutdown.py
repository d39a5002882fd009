"""Signals belong to the command, and only while it crawls."""

import asyncio
import signal

import pytest
from scrapy.utils.test import get_crawler

from timecoverspider.extensions.shutdown import Shutdown


@pytest.mark.parametrize("fails", [False, True])
def test_handlers_come_back_when_a_crawl_has_ended(fails: bool) -> None:
    async def run() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        try:
            with Shutdown(get_crawler()):
                assert signal.getsignal(signal.SIGINT) not in before
                assert not fails, "it fails"
        finally:
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    if fails:
        with pytest.raises(AssertionError, match="it fails"):
            asyncio.run(run())
    else:
        asyncio.run(run())
