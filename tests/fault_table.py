"""What each of the replica's faults does to a crawl, for the README.

Run it to write the table: ``PYTHONPATH=. python tests/fault_table.py``.
"""

import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from conftest import PROJECT, SPIDER, crawl_arguments, run_scrapy, serving

from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import Faults, Rule
from timecoverspider.replica.issues import issue_dates

HURT = date(2011, 2, 7)  # whose title has a ♥
DAYS = issue_dates()[issue_dates().index(HURT) - 3 :][:20]
COVER, PICTURE, LISTING = "0,16641,20110207", "1101110207", "No=15"

START, END = "<!-- faults -->\n", "\n<!-- /faults -->"
# What is said of the fault, and the fault.
FAULTS: dict[str, dict[str, Any]] = {
    "a picture is 503": {"url": PICTURE, "fault": "status"},
    "a picture is 429, with `Retry-After: 1`": {"url": PICTURE, "fault": "status", "status": 429, "retry_after": 1},
    "a picture is 404": {"url": PICTURE, "fault": "status", "status": 404},
    "its connection is cut": {"url": PICTURE, "fault": "cut"},
    "its length says too much": {"url": PICTURE, "fault": "long"},
    "its length says too little": {"url": PICTURE, "fault": "short"},
    "it drips": {"url": PICTURE, "fault": "drip", "seconds": 1},
    "it never comes": {"url": PICTURE, "fault": "hang"},
    "it is HTML": {"url": PICTURE, "fault": "html"},
    "it is cut, and its length agrees": {"url": PICTURE, "fault": "truncate"},
    "it is empty": {"url": PICTURE, "fault": "empty"},
    "it is a decompression bomb": {"url": PICTURE, "fault": "bomb"},
    "it redirects to itself": {"url": PICTURE, "fault": "redirect"},
    "it redirects to loopback": {"url": PICTURE, "fault": "redirect", "to": "http://127.0.0.1/x.jpg"},
    "it redirects to `file:`": {"url": PICTURE, "fault": "redirect", "to": "file:///etc/passwd"},
    "a cover page is 500": {"url": COVER, "fault": "status", "status": 500},
    "its connection is cut ": {"url": COVER, "fault": "cut"},
    "it redirects to itself ": {"url": COVER, "fault": "redirect"},
    "it has no title": {"url": COVER, "fault": "no_title"},
    "it has no date": {"url": COVER, "fault": "no_date"},
    "it has no picture": {"url": COVER, "fault": "no_picture"},
    "its title would forge a log line": {"url": COVER, "fault": "wrong_title"},
    "its date is none": {"url": COVER, "fault": "wrong_date"},
    "its picture is a `file:`": {"url": COVER, "fault": "wrong_picture"},
    "its HTML is malformed": {"url": COVER, "fault": "malformed"},
    "its charset is wrong": {"url": COVER, "fault": "charset"},
    "it is empty ": {"url": COVER, "fault": "empty"},
    "a listing is 503": {"url": LISTING, "fault": "status"},
    "it never comes ": {"url": LISTING, "fault": "hang"},
    "it lists each cover twice": {"url": LISTING, "fault": "again"},
    "it leads back to the first": {"url": LISTING, "fault": "back"},
}
# An answer of the archive's, after which nothing is tried again before the next crawl.
DEFINITE = {
    "a picture is 404",
    "it redirects to loopback",
    "it redirects to `file:`",
    "its picture is a `file:`",
    "it leads back to the first",
}
_TIMEOUT = ["-s", "DOWNLOAD_TIMEOUT=2"]


@dataclass(frozen=True)
class Outcome:
    """How a crawl of 20 issues ended."""

    exit_status: int
    log: str
    records: list[dict[str, Any]]
    broken: int  # pictures that are none

    @property
    def closing(self) -> str:
        return self.log.splitlines()[-1]

    def described(self, titles: set[str]) -> str:
        """The data set in words; *titles* are the right ones."""
        parts = {
            "without a picture": sum(not record["files"] for record in self.records),
            "with a broken picture": self.broken,
            "with a wrong title": sum((record["title"] or "").strip() not in titles for record in self.records),
        }
        return ", ".join([str(len(self.records)), *(f"{count} {what}" for what, count in parts.items() if count)])


def crawl(nights: int = 1, **rule: Any) -> Outcome:
    """What this project makes of a fault, in as many crawls."""
    with tempfile.TemporaryDirectory() as name, serving(_archive(rule)) as address:
        folder = Path(name)
        for _ in range(nights):
            done = run_scrapy(*crawl_arguments(folder), *_TIMEOUT, cwd=folder, http_proxy=address)
        return _outcome(done.returncode, done.stderr, folder)


def tutorial(**rule: Any) -> Outcome:
    """What the tutorial's stand-in makes of it."""
    with tempfile.TemporaryDirectory() as name, serving(_archive(rule)) as address:
        changes = {"PYTHONPATH": str(PROJECT / "tests" / "tutorial"), "SCRAPY_SETTINGS_MODULE": "tutorial.settings"}
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
def outcomes() -> dict[str, tuple[Outcome, Outcome, Outcome]]:
    """For each fault what this project makes of it where it stays, where it goes away, and the tutorial's stand-in."""
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
    """The table, in Markdown."""
    whole = crawl()
    titles = {record["title"] for record in whole.records}
    lines = ["| fault | covers | exit | the last line says | the tutorial's, exit 0 |", "|---|---|---|---|---|"]
    for name, (mine, _, other) in outcomes().items():
        cells = (name.strip(), mine.described(titles), mine.exit_status, _said(mine.closing), other.described(titles))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _said(closing: str) -> str:
    """What a closing line complains about, without addresses, figures and what a library adds in its words."""
    complaint = re.sub(r"(\. )?\d+ covers in output\.json.*", "", closing.partition(": ")[2])
    if missing := re.fullmatch(r"1 missing \(<[^>]*> (.*)\)", complaint):
        complaint = missing[1]
    complaint = re.sub(
        r"<(http|file)[^>]*>:? ?|http://search\S* |http://img\S*_400.jpg |its picture (?=<)", "", complaint
    )
    # What arrives beyond a length is a bad answer to the next request, or to this one where it comes along with it.
    complaint = re.sub(r"400, message=.Bad status line.*", "it is not a whole picture", complaint)
    complaint = re.sub(r"Getting took longer than (\d+)\.0 seconds\.", r"it took longer than \1 seconds", complaint)
    return re.split(r" \(|: <|, message|: image", complaint)[0]


if __name__ == "__main__":
    readme = PROJECT / "README.md"
    before, _, rest = readme.read_text().partition(START)
    readme.write_text(before + START + table() + END + rest.partition(END.strip())[2])
