"""Whether a data set on disk is what its catalog and its feed say."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.lock import Lock
from timecoverspider.dataset.rows import Image, Record

UNKNOWN = "unknown"  # what is found of a file that no cover has
_AT_A_TIME = 1000  # covers that are handed to the threads


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a data set."""

    what: str  # missing, cut, altered, undecodable, unknown, not in the feed, only in the feed, no feed
    subject: str  # a path below FILES_STORE, a page's URL, or a feed
    reason: str
    page_url: str = ""  # of the cover whose picture it is


def verify(dataset: Dataset, feed: Path | None, done: Callable[[], object]) -> Iterator[Finding]:
    """Check the images of a data set, and a feed if there is one, against the catalog; nothing is changed.

    Images are read and decoded by a thread for each core; *done* is called after each. Raises CatalogError.
    """
    yield from _check_images(dataset, done)
    yield from _check_folder(dataset)
    if feed:
        yield from _check_feed(feed, dataset.records())


def move_unknown(layout: Layout, findings: Iterable[Finding]) -> None:
    """Move the files that no record has to the folder of unknown ones. Raises DatasetLockedError."""
    lock = Lock(layout.lock)
    try:
        for finding in findings:
            if finding.what == UNKNOWN:
                layout.unknown.mkdir(exist_ok=True)
                (layout.folder / finding.subject).rename(layout.unknown / Path(finding.subject).name)
    finally:
        lock.close()


def _check_images(dataset: Dataset, done: Callable[[], object]) -> Iterator[Finding]:
    images = ((image, record.page_url) for record in dataset.records() for image in record.images)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while batch := list(islice(images, _AT_A_TIME)):
            for finding in threads.map(partial(_check_image, dataset.folder), batch):
                done()
                if finding:
                    yield finding


def _check_image(folder: Path, of_record: tuple[Image, str]) -> Finding | None:
    image, page_url = of_record

    def found(what: str, reason: str) -> Finding:
        return Finding(what, image.path, reason, page_url)

    try:
        content = (folder / image.path).read_bytes()
    except FileNotFoundError:
        return found("missing", "there is no such file")
    except OSError as error:
        return found("undecodable", f"it cannot be read: {error.strerror}")
    if len(content) != image.bytes:
        return found("cut", f"it has {len(content):,} bytes in place of {image.bytes:,}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != image.checksum:
        return found("altered", f"its MD5 is not {image.checksum}")
    try:
        validate_image(content)
    except InvalidImageError as error:
        return found("undecodable", str(error))
    return None


def _check_folder(dataset: Dataset) -> Iterator[Finding]:
    files = {dataset.layout.path(file) for file in dataset.layout.images.glob("*")}
    for path in sorted(files.difference(image.path for record in dataset.records() for image in record.images)):
        yield Finding(UNKNOWN, path, "no cover in the catalog has this file")


def _check_feed(feed: Path, records: Iterator[Record]) -> Iterator[Finding]:
    try:
        published = Counter(map(_canonical, _records(feed)))
    except OSError as error:
        yield Finding("no feed", str(feed), f"it cannot be read: {error.strerror}")
        return
    except ValueError as error:
        yield Finding("no feed", str(feed), f"it is no list of records: {error}")
        return
    for record in records:
        row = _canonical(record.item)
        published[row] -= 1
        if published[row] < 0:
            yield Finding("not in the feed", record.page_url, f"{feed} has no record of it that says the same")
    for row in published.elements():  # what is left
        yield Finding("only in the feed", str(feed), f"the catalog does not have its record {row:.200}")


def _canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def _records(feed: Path) -> list[dict[str, Any]]:
    with feed.open(encoding="utf-8") as file:
        rows = json.load(file) if feed.suffix == ".json" else [json.loads(line) for line in file]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("there is something else in it")
    return rows
