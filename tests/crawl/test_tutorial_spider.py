"""The tutorial's own spider, to the letter: what it cannot read is named, and all else is stored."""

from pathlib import Path

from mock_archive import MockArchive
from own_project import OwnProject
from scrapy_command import PROJECT, SPIDER, last_line

from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url

SOURCE = (PROJECT / "tests/tools/tutorial/tutorial/spiders/coverspider.py").read_text(encoding="utf-8")
# Two listings. Of these dates, "%b" does not read "June 6" and "July 4".
DAYS = [day for day in issue_dates() if day.year == 1960 and 3 < day.month < 10]


def test_tutorial_spider_names_the_covers_that_it_cannot_read_in_each_crawl(tmp_path: Path) -> None:
    project = OwnProject(tmp_path, SPIDER_MODULES=["own_spiders"], ARCHIVE="live", RETRY_TIMES=0)
    project.write(SOURCE)
    unread = [day for day in DAYS if day.month in (6, 7)]
    archive = MockArchive(DAYS)
    for _ in range(2):
        done = project.crawl(SPIDER, archive)
        assert done.returncode == 3, done.stderr
        assert f"{len(unread) + 1} missing" in last_line(done)  # and the last listing, which has no Next link
        assert all(f"<{cover_url(day)}>: time data" in done.stderr for day in unread)
        assert "Traceback" not in done.stderr
        assert len(project.records(SPIDER)) == len(DAYS) - len(unread)
    assert not [url for url in archive.requests if url.endswith(".jpg")]
    assert sorted(archive.requests_to("content.time.com")) == sorted(map(cover_url, unread))
