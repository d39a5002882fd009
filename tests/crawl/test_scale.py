"""What a crawl needs does not grow with the archive."""

import os
import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from components import small_image
from scrapy_command import crawl_arguments, environment, scrapy_command
from serving import Handler, serving

from timecoverspider.replica.app import make_app
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import IMAGES

pytestmark = pytest.mark.slow


def peak_memory(folder: Path, issues: int) -> int:
    """Return the peak memory in bytes of a crawl of an archive with small images."""
    folder.mkdir()
    small = small_image()

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host == IMAGES and request.path != "/robots.txt":
            return web.Response(body=small, content_type="image/jpeg")
        return await handler(request)

    app = make_app(issue_dates(issues))
    app.middlewares.append(answer)
    with serving(app) as address, (folder / "log").open("wb") as log:
        crawl = subprocess.Popen(
            scrapy_command(*crawl_arguments(folder)), cwd=folder, env=environment(http_proxy=address), stderr=log
        )
        _, status, usage = os.wait4(crawl.pid, 0)
        crawl.returncode = os.waitstatus_to_exitcode(status)
    assert crawl.returncode == 0, (folder / "log").read_text()
    return usage.ru_maxrss * 1024


def test_cover_takes_less_than_2_kb_of_memory(tmp_path: Path) -> None:
    covers = 6000
    assert peak_memory(tmp_path / "larger", 1000 + covers) - peak_memory(tmp_path / "smaller", 1000) < covers * 2048
