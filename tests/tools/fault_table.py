"""Write the table of what each fault of the replica does to a crawl: ``python tests/tools/fault_table.py``."""

import json
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from scrapy_command import PROJECT, SPIDER, crawl_arguments, run_scrapy
from serving import serving

from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import Faults, Rule
from timecoverspider.replica.issues import issue_dates

HURT = date(2011, 2, 7)  # whose title has a ♥
DAYS = issue_dates()[issue_dates().index(HURT) - 3 :][:20]
COVER, IMAGE, LISTING = "0,16641,20110207", "1101110207", "No=15"

TABLE_FILE = PROJECT / "timecoverspider" / "replica" / "README.md"
START, END = "<!-- faults -->\n", "\n<!-- /faults -->"
# By what is spoilt, the name of each fault in the table, and the fault.
FAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("image", "HTTP 503"): {"url": IMAGE, "fault": "status"},
    ("image", "HTTP 429 with `Retry-After: 1`"): {"url": IMAGE, "fault": "status", "status": 429, "retry_after": 1},
    ("image", "HTTP 404"): {"url": IMAGE, "fault": "status", "status": 404},
    ("image", "cut connection"): {"url": IMAGE, "fault": "cut"},
    ("image", "too large `Content-Length`"): {"url": IMAGE, "fault": "long"},
    ("image", "too small `Content-Length`"): {"url": IMAGE, "fault": "short"},
    ("image", "slow response"): {"url": IMAGE, "fault": "drip", "seconds": 1},
    ("image", "no response"): {"url": IMAGE, "fault": "hang"},
    ("image", "HTML in place of the image"): {"url": IMAGE, "fault": "html"},
    ("image", "truncated file"): {"url": IMAGE, "fault": "truncate"},
    ("image", "empty file"): {"url": IMAGE, "fault": "empty"},
    ("image", "decompression bomb"): {"url": IMAGE, "fault": "bomb"},
    ("image", "redirect to itself"): {"url": IMAGE, "fault": "redirect"},
    ("image", "redirect to loopback"): {"url": IMAGE, "fault": "redirect", "to": "http://127.0.0.1/x.jpg"},
    ("image", "redirect to `file:`"): {"url": IMAGE, "fault": "redirect", "to": "file:///etc/passwd"},
    ("cover page", "HTTP 500"): {"url": COVER, "fault": "status", "status": 500},
    ("cover page", "cut connection"): {"url": COVER, "fault": "cut"},
    ("cover page", "redirect to itself"): {"url": COVER, "fault": "redirect"},
    ("cover page", "no title"): {"url": COVER, "fault": "no_title"},
    ("cover page", "no date"): {"url": COVER, "fault": "no_date"},
    ("cover page", "no image"): {"url": COVER, "fault": "no_image"},
    ("cover page", "title with a line break and an escape sequence"): {"url": COVER, "fault": "wrong_title"},
    ("cover page", "impossible date"): {"url": COVER, "fault": "wrong_date"},
    ("cover page", "image at `file:`"): {"url": COVER, "fault": "wrong_image"},
    ("cover page", "malformed HTML"): {"url": COVER, "fault": "malformed"},
    ("cover page", "wrong charset"): {"url": COVER, "fault": "charset"},
    ("cover page", "empty page"): {"url": COVER, "fault": "empty"},
    ("listing", "HTTP 503"): {"url": LISTING, "fault": "status"},
    ("listing", "no response"): {"url": LISTING, "fault": "hang"},
    ("listing", "each cover listed twice"): {"url": LISTING, "fault": "again"},
    ("listing", "Next link to the first listing"): {"url": LISTING, "fault": "back"},
}
# Faults after which nothing is retried before the next crawl, because the answer is definite.
DEFINITE = {
    ("image", "HTTP 404"),
    ("image", "redirect to loopback"),
    ("image", "redirect to `file:`"),
    ("cover page", "image at `file:`"),
    ("listing", "Next link to the first listing"),
}
_TIMEOUT = ["-s", "DOWNLOAD_TIMEOUT=2"]


@dataclass(frozen=True)
class Outcome:
    """How a crawl of 20 issues ended."""

    exit_status: int
    log: str
    records: list[dict[str, Any]]
    broken: int  # images that are invalid

    @property
    def closing(self) -> str:
        return self.log.splitlines()[-1]

    def described(self, titles: set[str]) -> str:
        """Describe the data set in words; *titles* are the right ones."""
        parts = {
            "without an image": sum(not record["files"] for record in self.records),
            "with an invalid image": self.broken,
            "with a wrong title": sum((record["title"] or "").strip() not in titles for record in self.records),
        }
        return ", ".join([str(len(self.records)), *(f"{count} {what}" for what, count in parts.items() if count)])


def crawl(crawls: int = 1, **rule: Any) -> Outcome:
    """Return what is stored after so many crawls of an archive with a fault."""
    with tempfile.TemporaryDirectory() as name, serving(_archive(rule)) as address:
        folder = Path(name)
        for _ in range(crawls):
            done = run_scrapy(*crawl_arguments(folder), *_TIMEOUT, cwd=folder, http_proxy=address)
        return _outcome(done.returncode, done.stderr, folder)


def tutorial(**rule: Any) -> Outcome:
    """Return what the spider of the tutorial stores of it."""
    with tempfile.TemporaryDirectory() as name, serving(_archive(rule)) as address:
        changes = {
            "PYTHONPATH": str(PROJECT / "tests" / "tools" / "tutorial"),
            "SCRAPY_SETTINGS_MODULE": "tutorial.settings",
        }
        arguments = ("crawl", SPIDER, "-o", "output.json", *_TIMEOUT)
        done = run_scrapy(*arguments, cwd=Path(name), HOME=name, http_proxy=address, **changes)
        return _outcome(done.returncode, done.stderr, Path(name))


def _archive(rule: dict[str, Any]) -> Any:
    return make_app(DAYS, faults=Faults([Rule(**rule)]) if rule else None)


def _outcome(status: int, log: str, folder: Path) -> Outcome:
    broken = 0
    for file in (folder / "output" / "full").glob("*"):
        try:
            validate_image(file.read_bytes())
        except InvalidImageError:
            broken += 1
    feed = folder / "output.json"
    return Outcome(status, log, json.loads(feed.read_bytes()) if feed.exists() else [], broken)


@cache
def outcomes() -> dict[tuple[str, str], tuple[Outcome, Outcome, Outcome]]:
    """Return for each fault the outcome if it stays, the one if it goes away, and the one of the tutorial's spider."""
    with ThreadPoolExecutor(3) as threads:
        futures = {
            name: (
                threads.submit(crawl, **rule),
                threads.submit(crawl, 1 + (name in DEFINITE), **rule, times=1 if name in DEFINITE else 4),
                threads.submit(tutorial, **rule),
            )
            for name, rule in FAULTS.items()
        }
        return {name: (mine.result(), later.result(), other.result()) for name, (mine, later, other) in futures.items()}


def table() -> str:
    """Return the table in Markdown, in three parts."""
    titles = {record["title"] for record in crawl().records}
    lines: list[str] = []
    part = ""
    for (subject, name), (mine, _, other) in outcomes().items():
        if subject != part:
            heading = f"| {subject} | covers | exit | the closing line says | the tutorial's, exit 0 |"
            lines += [*([""] if part else []), heading, "|---|---|---|---|---|"]
            part = subject
        cells = name, mine.described(titles), mine.exit_status, _said(mine.closing), other.described(titles)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _said(closing: str) -> str:
    """Return what a closing line complains about, without URLs, figures and the words of a library."""
    complaint = re.sub(r"(\. )?\d+ covers (in output\.json|stored).*", "", closing.partition(": ")[2])
    if missing := re.fullmatch(r"1 missing \(<[^>]*> (.*)\)", complaint):
        complaint = missing[1]
    complaint = re.sub(r"<(http|file)[^>]*>:? ?|http://search\S* |http://img\S*_400.jpg |image (?=<)", "", complaint)
    # Bytes beyond the stated length are an invalid response to the next request, or to this one if they come with it.
    complaint = re.sub(r"400, message=.Bad status line.*", "the image cannot be decoded", complaint)
    complaint = re.sub(r"Getting took longer than (\d+)\.0 seconds\.?", r"took longer than \1 seconds", complaint)
    return re.split(r" \(|: <|, message|: image", complaint)[0]


if __name__ == "__main__":
    before, _, rest = TABLE_FILE.read_text(encoding="utf-8").partition(START)
    TABLE_FILE.write_text(before + START + table() + END + rest.partition(END.strip())[2], encoding="utf-8")
