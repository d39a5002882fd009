"""A crawl that ends while it fetches damaged images again: it ends soon, names the cause, and loses nothing."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from data_set import feed, image_path
from image_workers import workers
from mock_archive import DAYS, MockArchive, serving
from scrapy_command import FULL_SPEED, SPIDER, environment, last_line, scrapy_command

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import image_url

pytestmark = pytest.mark.slow

CRAWL = ["crawl", SPIDER, "-o", "output.json"]
REPAIR = ["verify", "--repair"]

Strike = Callable[["subprocess.Popen[str]", Path], None]


def strike_during_repair(folder: Path, command: list[str], strike: Strike, *, delete: int = 40) -> tuple[int, str]:
    """Delete images, run a command, and strike when it requests the last of them. Return exit status and log."""
    for day in DAYS[:delete]:
        image_path(folder, day).unlink()
    archive, process = MockArchive(), []
    last = DAYS[delete - 1]

    async def answer(request: web.Request) -> web.StreamResponse:
        strike(process[0], folder)
        return web.Response(body=draw_cover(last, 600), content_type="image/jpeg")

    archive.answers[image_url(last)] = answer
    command = scrapy_command(*command, "-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED)
    variables, pipe = environment(http_proxy=""), subprocess.PIPE
    with serving(archive.app) as address:
        variables["http_proxy"] = address
        process.append(subprocess.Popen(command, cwd=folder, env=variables, stdout=pipe, stderr=pipe, text=True))
        log = process[0].communicate(timeout=60)[1]
    return process[0].returncode, log


def assert_next_crawl_is_complete(folder: Path, filled: Path) -> None:
    done = MockArchive().crawl(folder)
    assert done.returncode == 0, done.stderr
    assert feed(folder) == feed(filled)
    assert all(image_path(folder, day).read_bytes() == draw_cover(day, 600) for day in DAYS)


@pytest.mark.parametrize("command", [CRAWL, REPAIR])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_ends_the_repair(
    folder: Path, filled: Path, command: list[str], number: signal.Signals, status: int
) -> None:
    code, log = strike_during_repair(folder, command, lambda process, _: process.send_signal(number))
    assert code == status, log
    assert "Traceback" not in log
    assert feed(folder) == feed(filled)
    assert_next_crawl_is_complete(folder, filled)


@pytest.mark.slow
@pytest.mark.parametrize("command", [CRAWL, REPAIR])
def test_killed_image_process_aborts_the_repair(folder: Path, filled: Path, command: list[str]) -> None:
    def kill(process: "subprocess.Popen[str]", _: Path) -> None:
        for worker in workers(process.pid):
            os.kill(worker, signal.SIGKILL)

    code, log = strike_during_repair(folder, command, kill)
    assert code == 1, log
    assert "the image store process has ended" in log.splitlines()[-1]
    assert "Traceback" not in log
    assert feed(folder) == feed(filled)
    assert_next_crawl_is_complete(folder, filled)


def test_image_whose_name_a_folder_has_aborts_the_crawl_and_is_named(folder: Path, filled: Path) -> None:
    file = image_path(folder, DAYS[3])
    for arguments in ([], ["-a", "refresh=1"], ["-a", "full=1"]):
        file.unlink(missing_ok=True) if not file.is_dir() else None
        file.mkdir(exist_ok=True)
        done = MockArchive().crawl(folder, *arguments)
        assert done.returncode == 1
        assert f"full/{file.name}: Is a directory" in last_line(done)
        assert "Traceback" not in done.stderr
        assert feed(folder) == feed(filled)
    file.rmdir()
    assert_next_crawl_is_complete(folder, filled)


@pytest.mark.parametrize("name", ["full", ".incoming"])
def test_file_in_place_of_a_folder_aborts_the_crawl(folder: Path, filled: Path, name: str) -> None:
    image_path(folder, DAYS[3]).unlink()
    (folder / "output" / name).rename(folder / "aside")
    (folder / "output" / name).write_text("")
    done = MockArchive().crawl(folder)
    assert done.returncode == 1
    assert "File exists" in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)
    (folder / "output" / name).unlink()
    (folder / "aside").rename(folder / "output" / name)
    assert_next_crawl_is_complete(folder, filled)


def test_repair_that_fails_for_every_image_names_each_cover_and_ends(folder: Path, filled: Path) -> None:
    for day in DAYS:
        image_path(folder, day).unlink()
    archive = MockArchive()
    archive.answers = dict.fromkeys(map(image_url, DAYS), 404)
    done = archive.crawl(folder)
    assert done.returncode == 3
    assert "40 missing" in last_line(done)
    assert len([line for line in done.stderr.splitlines() if "Failed: <" in line]) == 40
    assert feed(folder) == feed(filled)
    assert_next_crawl_is_complete(folder, filled)
