"""The status of a data set: whether it is complete, what failed, its crawls and its sizes."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import write_atomically
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.lock import check_unlocked
from timecoverspider.dataset.rows import ONLY_FAILED, Crawl, Failure
from timecoverspider.dataset.survey import Survey
from timecoverspider.exceptions import COMPLETE, DatasetLockedError

RUNNING, KILLED = "running", "killed"
_INCOMPLETE = "incomplete"
# What the catalog calls an outcome, if the status has another word.
_OUTCOMES = {"covers missing": _INCOMPLETE, "archive unreadable": "site unreadable"}
_CRAWLS = 100  # the latest crawls that a status lists; a data set has 365 more each year


@dataclass(frozen=True, slots=True)
class CrawlStatus:
    """A crawl. A number is None if the crawl runs or was killed."""

    started: str  # UTC
    ended: str | None
    seconds: float | None
    outcome: str  # complete, incomplete, site unreadable, interrupted, aborted, killed or running
    cut_by: str  # the limit that ended the crawl early, only=failed, or empty
    all_listings: bool | None  # whether the crawl read all listings
    new: int | None
    failed: int | None
    requests: int | None


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that failed, or that has a failed image, in the last crawl that requested it."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a data set. ``report.json`` and ``scrapy status --json`` have the same fields."""

    spider: str
    folder: str
    complete: bool
    summary: str  # one sentence
    running: bool  # whether a crawl is running
    records: int
    stated: int | None  # the number of records according to the site, or None if the site states none
    images: int
    years: dict[str, int]  # number of records by year, with four digits
    undated: int  # number of records without a date
    failed: list[FailedPage]
    accepted: list[FailedPage]  # failures that a user has accepted; they do not count
    damaged: list[str]  # paths of images that are missing, or other files than the catalog says
    retry: str | None  # the command that requests only the failed pages, or None if no page has failed
    bytes: dict[str, int]  # images, catalog (0 if the catalog is in a database server) and other files
    earlier_crawls: int  # number of crawls before the first of ``crawls``
    crawls: list[CrawlStatus]  # the oldest first

    def to_json(self) -> str:
        """Return the status as a JSON object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)


def read_status(
    dataset: Dataset, survey: Survey | None = None, *, options: Sequence[str] = (), ended_as: str = ""
) -> Status:
    """Return the status of a data set; take no lock and change nothing.

    *survey* is the comparison of the files with the catalog, if the caller has made it. *options* are those that a
    command needs to find the data set. *ended_as* is how the caller's crawl ended, if the catalog does not have it.

    Raises: CatalogError if the catalog cannot be read.
    """
    survey = survey or dataset.survey()
    failures = dataset.failures()
    failed = [failure for failure in failures if not failure.is_accepted]
    accepted = {failure.url for failure in failures if failure.is_accepted}
    damaged = [image.path for image in survey.damaged if set(survey.pages_with(image)) - accepted]
    rows = dataset.crawls()
    running = bool(rows) and rows[-1].ended is None and _is_locked(dataset)
    crawls = list(map(crawl_status, rows))
    if rows and rows[-1].ended is None:
        crawls[-1] = crawl_status(rows[-1], RUNNING if running else ended_as or KILLED)
    stated = next((row.stated for row in reversed(rows) if row.stated is not None), None)
    problems = _problems(len(failed), len(damaged), crawls)
    records = dataset.catalog.count()
    years = Counter(date[:4] for date in dataset.catalog.dates())
    undated = years.pop("", 0)
    return Status(
        spider=dataset.catalog.spider,
        folder=str(dataset.folder),
        complete=not problems,
        summary=_summary(records, len(accepted), problems, running=running),
        running=running,
        records=records,
        stated=stated,
        images=dataset.catalog.count_images(),
        years=dict(sorted(years.items())),
        undated=undated,
        failed=_pages(failed),
        accepted=_pages(failure for failure in failures if failure.is_accepted),
        damaged=damaged,
        retry=_retry(dataset, options) if failed else None,
        bytes={"images": dataset.catalog.count_bytes(), **_sizes(dataset.layout)},
        earlier_crawls=max(len(crawls) - _CRAWLS, 0),
        crawls=crawls[-_CRAWLS:],
    )


def write_report(layout: Layout, status: Status) -> None:
    """Write the status to ``report.json`` in one step.

    Raises: OSError if the file cannot be written. The earlier report then stays.
    """
    write_atomically(layout.report, f"{status.to_json()}\n".encode(errors="backslashreplace"), layout.drafts)


def _is_locked(dataset: Dataset) -> bool:
    """Return whether another process writes to the data set. Asked only if a crawl has not ended.

    To ask, the lock is taken for an instant; a crawl that starts in this instant would be refused.
    """
    if dataset.lock is not None:
        return False
    try:
        check_unlocked(dataset.layout.lock)
    except DatasetLockedError:
        return True
    except OSError:
        return False
    return False


def crawl_status(row: Crawl, unended: str = KILLED) -> CrawlStatus:
    """Return the status of a crawl; *unended* is the outcome of a crawl that has not ended."""
    seconds = None
    with suppress(TypeError, ValueError):  # not ended, or somebody has changed the catalog
        times = [datetime.fromisoformat(time) for time in (row.started, row.ended or "")]
        seconds = (times[1] - times[0]).total_seconds()
    outcome = unended if row.ended is None else row.outcome or KILLED
    return CrawlStatus(
        started=row.started,
        ended=row.ended,
        seconds=seconds,
        outcome=_OUTCOMES.get(outcome, outcome),
        cut_by=row.cut_by,
        all_listings=row.complete_walk,
        new=row.new,
        failed=row.failed,
        requests=row.requests,
    )


def listings_problem(crawls: Iterable[CrawlStatus]) -> str:
    """Return why the latest crawl did not read all listings, or what an earlier crawl had not read, or "".

    A crawl of only failed pages reads no listings, and a crawl that is running has not read them yet.
    """
    walks = [crawl for crawl in crawls if crawl.cut_by != ONLY_FAILED and crawl.outcome != RUNNING]
    if not walks:
        return "no crawl has ended"
    last = walks[-1]
    if last.outcome not in (COMPLETE, _INCOMPLETE):
        said = {
            "site unreadable": "could not read the site",
            "interrupted": "was interrupted",
            "aborted": "was aborted",
            KILLED: "was killed",
        }
        return f"the last crawl {said.get(last.outcome, f'ended with {last.outcome!r}')}"
    if last.cut_by:
        return f"the last crawl ended early ({last.cut_by})"
    # A crawl that fails may have read only the first listings, because earlier crawls had read the others.
    if last.outcome == _INCOMPLETE and not last.all_listings and not last.failed:
        return "the last crawl did not read all listings"
    return ""


def _problems(failed: int, damaged: int, crawls: Sequence[CrawlStatus]) -> list[str]:
    problems = [f"{_count(failed, 'page')} failed"] if failed else []
    if damaged:
        problems.append(f"{_count(damaged, 'image')} {'is' if damaged == 1 else 'are'} missing or damaged")
    return [*problems, *filter(None, [listings_problem(crawls)])]


def _summary(records: int, accepted: int, problems: Sequence[str], *, running: bool) -> str:
    if problems:
        text = f"Something is missing: {'; '.join(problems)}"
    else:
        text = f"The data set is complete: {_count(records, 'record')}"
    if accepted:
        text += f"; {_count(accepted, 'failure')} accepted"
    return f"{text}. A crawl is running." if running else f"{text}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _pages(failures: Iterable[Failure]) -> list[FailedPage]:
    return [FailedPage(failure.url, failure.reason) for failure in failures]


def _retry(dataset: Dataset, options: Sequence[str]) -> str:
    feeds = sorted(dataset.feeds(), key=lambda feed: feed.written)
    output = ["-o", os.path.relpath(feeds[-1].path)] if feeds else []
    return shlex.join(["scrapy", "crawl", dataset.catalog.spider, *output, "-a", ONLY_FAILED, *options])


def _sizes(layout: Layout) -> dict[str, int]:
    """Return the bytes of the catalog's files and of all other files but images, without other data sets."""
    catalog = other = 0
    folders = [layout.folder]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path != str(layout.images) and not Layout(Path(entry.path)).catalog.exists():
                        folders.append(Path(entry.path))
                elif entry.path in (f"{layout.catalog}{end}" for end in ("", "-journal", "-wal", "-shm")):
                    catalog += entry.stat(follow_symlinks=False).st_size
                else:
                    other += entry.stat(follow_symlinks=False).st_size
    return {"catalog": catalog, "other": other}
