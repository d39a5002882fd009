"""Signals belong to the command, and only while it crawls."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from components import FakeEngine, make_crawler
from scrapy.utils.test import get_crawler

from timecoverspider.exceptions import InterruptedCrawlError
from timecoverspider.extensions import shutdown
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.shutdown import Shutdown

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("fails", [False, True])
def test_handlers_come_back_when_a_crawl_has_ended(fails: bool) -> None:
    async def run() -> None:
        before = [signal.getsignal(number) for number in SIGNALS]
        try:
            with Shutdown(get_crawler()):
                assert signal.getsignal(signal.SIGINT) not in before
                assert not fails, "it fails"
        finally:
            assert [signal.getsignal(number) for number in SIGNALS] == before

    if fails:
        with pytest.raises(AssertionError, match="it fails"):
            asyncio.run(run())
    else:
        asyncio.run(run())


@pytest.mark.parametrize("number", SIGNALS)
def test_first_signal_interrupts_the_crawl_and_second_one_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(shutdown.os, "_exit", statuses.append)

    async def run() -> None:
        with make_crawler(tmp_path) as crawler, Shutdown(crawler):
            crawler.engine = engine = FakeEngine()  # type: ignore[assignment]
            state = CrawlState.of(crawler)
            os.kill(os.getpid(), number)
            await asyncio.wait_for(state.stopping.wait(), 30)
            await asyncio.sleep(0)
            assert isinstance(state.outcome, InterruptedCrawlError)
            assert engine.closed == ["shutdown"]
            assert not statuses
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)

    asyncio.run(run())
    assert statuses == [128 + number]
