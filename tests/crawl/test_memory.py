"""Crawls of large bodies: the crawl and its image process stay within a bounded memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
from data_set import records
from image_workers import peak_memory, workers
from mock_archive import DAYS, FIRST_LISTING, ROBOTS, MockArchive, serving
from scrapy_command import start_crawl

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url

LIMIT = 600 * 2**20  # bytes
COMMENTS = (b"\xff\xfe\xff\xff" + bytes(65533)) * 240  # 15 MB of a JPEG
COVER = draw_cover(DAYS[0], 400)


def crawl_measured(folder: Path, archive: MockArchive) -> tuple[int, int]:
    """Return the exit status of a crawl, and the most memory of its two processes."""
    peaks: dict[int, int] = {}
    with serving(archive.app) as address, start_crawl(folder, address, "-s", "RETRY_TIMES=1") as process:
        assert process.stderr
        for line in process.stderr:
            if "Failed" in line or "Closing spider" in line or "Spider closed" in line:
                for pid in (process.pid, *workers(process.pid)):
                    peaks[pid] = peak_memory(pid)
    return process.returncode, sum(peaks.values())


@pytest.mark.slow
@pytest.mark.parametrize("is_valid", [True, False])
def test_large_images_need_a_bounded_memory(tmp_path: Path, is_valid: bool) -> None:
    archive, content = MockArchive(), COVER[:2] + COMMENTS + (COVER[2:] if is_valid else b"")
    archive.answers = {image_url(day): content for day in DAYS}
    status, memory = crawl_measured(tmp_path, archive)
    assert status == (0 if is_valid else 3)
    assert len(records(tmp_path)) == (40 if is_valid else 0)
    assert memory < LIMIT


def _large_pages(archive: MockArchive) -> None:
    archive.answers = {cover_url(day): "<p>" * 5_000_000 for day in DAYS}


def _listing_of_many_links(archive: MockArchive) -> None:
    archive.answers[FIRST_LISTING] = "".join(f"<a href='/{number}'>Large Cover</a>" for number in range(480_000))


def _large_robots_txt(archive: MockArchive) -> None:
    archive.answers[ROBOTS] = "User-agent: *\n" + "Disallow: /x\n" * 1_200_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"), [(_large_pages, 3), (_listing_of_many_links, 4), (_large_robots_txt, 0)]
)
def test_large_pages_need_a_bounded_memory(
    tmp_path: Path, change: Callable[[MockArchive], None], expected: int
) -> None:
    archive = MockArchive()
    change(archive)
    status, memory = crawl_measured(tmp_path, archive)
    assert status == expected
    assert memory < LIMIT
