"""What a crawl shows on a terminal while it runs."""

import os
import pty
import re
import subprocess
import termios
from pathlib import Path

import pytest
from mock_archive import DAYS, INDEX, MockArchive, serving
from scrapy_command import crawl_arguments, environment, scrapy_command

from timecoverspider.replica.pages import index_page

pytestmark = pytest.mark.slow  # the terminal gets a line ten times a second


def crawl_on_terminal(folder: Path, archive: MockArchive, *arguments: str) -> tuple[int, list[str], str]:
    """Return the exit status of a crawl, the states of its bar, and the last line."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 120))
    command = scrapy_command(*crawl_arguments(folder), *arguments)
    shown = b""
    with (
        serving(archive.app) as address,
        subprocess.Popen(command, cwd=folder, env=environment(http_proxy=address), stderr=slave) as process,
    ):
        os.close(slave)
        while chunk := _read(master):
            shown += chunk
    os.close(master)
    lines = re.split(r"[\r\n]+", shown.decode())
    return process.returncode, [line for line in lines if line.startswith("covers:")], shown.decode().splitlines()[-1]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


def without_number(archive: MockArchive) -> MockArchive:
    archive.answers[INDEX] = index_page(len(DAYS)).replace(f"TIME U.S. ({len(DAYS)})", "TIME U.S.")
    return archive


def figures(bars: list[str]) -> list[tuple[int, int, int]]:
    """Return the percentage, the covers and their total of each state of the bar."""
    found = [re.search(r"(\d+)%\|.*\| (\d+)/(\d+) \[\S+<\S+, ", bar) for bar in bars]
    assert all(found), bars
    return [(int(bar[1]), int(bar[2]), int(bar[3])) for bar in found if bar]


def test_bar_shows_a_true_percentage_of_the_stated_number_and_the_time_left(tmp_path: Path) -> None:
    status, bars, last = crawl_on_terminal(tmp_path, MockArchive(latency=0.1))
    assert status == 0
    shown = figures(bars)
    assert {total for *_, total in shown} == {40}
    assert all(abs(percent - 100 * covers / 40) <= 1 for percent, covers, _ in shown)
    assert shown[0][0] == 0
    assert [percent for percent, *_ in shown if 0 < percent < 90]
    assert "40 covers in output.json" in last


def test_bar_without_a_stated_number_shows_numbers_and_no_percentage(tmp_path: Path) -> None:
    status, bars, _ = crawl_on_terminal(tmp_path, without_number(MockArchive(latency=0.1)))
    assert status == 0
    assert [bar for bar in bars if re.search(r"^covers: \d+ covers \[", bar)]
    assert not [bar for bar in bars if "%" in bar or "/40" in bar]


def test_bar_of_a_recrawl_has_its_total_from_the_catalog(folder: Path) -> None:
    status, bars, _ = crawl_on_terminal(folder, without_number(MockArchive(latency=0.1)), "-a", "refresh=1")
    assert status == 0
    shown = figures(bars)
    assert {total for *_, total in shown} == {40}
    assert (shown[0][0], shown[0][1]) == (0, 0)
    assert [percent for percent, *_ in shown if 0 < percent < 90]


def test_bar_begins_with_what_is_stored(folder: Path) -> None:
    for image in sorted((folder / "output" / "full").iterdir())[:30]:
        image.unlink()
    _, bars, _ = crawl_on_terminal(folder, MockArchive(latency=0.1), "-a", "full=1")
    assert not bars or figures(bars)[0][1] >= 10
