"""Compare the files of a data set with its catalog and its feed."""

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
from timecoverspider.dataset.files import regular_size, unused_path
from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.lock import Lock
from timecoverspider.dataset.metadata import metadata_problem
from timecoverspider.dataset.rows import Image, Record
from timecoverspider.exceptions import DatasetError

UNKNOWN = "unknown"  # Finding.what of a file without a record
_AT_A_TIME = 1000  # images that are given to the threads at once


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a data set."""

    what: str  # missing, cut, altered, undecodable, unknown, not in the feed, only in the feed, no feed
    subject: str  # a path below FILES_STORE, the URL of a page, or a feed
    reason: str
    page_url: str = ""  # the cover page of the image


def verify(dataset: Dataset, feeds: Iterable[Path], done: Callable[[], object]) -> Iterator[Finding]:
    """Compare the images of a data set, its metadata.jsonl and its *feeds* with the catalog; change nothing.

    One thread per core reads and decodes the images. *done* is called after each image.

    Raises: CatalogError if the catalog cannot be read.
    """
    damaged: set[str] = set()
    for finding in _check_images(dataset, done):
        damaged.add(finding.subject)
        yield finding
    yield from _check_folder(dataset)
    what, reason = metadata_problem(dataset, damaged)
    if what:
        yield Finding(what, dataset.layout.path(dataset.layout.metadata), reason)
    for feed in feeds:
        yield from _check_feed(feed, dataset.records())


def move_unknown(layout: Layout, findings: Iterable[Finding]) -> None:
    """Move all files without a record to the folder ``unknown``.

    Raises: DatasetLockedError if another process writes to the data set; DatasetError if a file cannot be moved.
    """
    try:
        lock = Lock(layout.lock)
    except OSError as error:
        raise DatasetError(f"cannot use the folder {layout.folder}: {error.strerror}") from error
    try:
        for finding in findings:
            if finding.what == UNKNOWN:
                layout.unknown.mkdir(exist_ok=True)
                file = layout.folder / finding.subject
                file.rename(unused_path(layout.unknown / file.name))
    except OSError as error:
        raise DatasetError(f"cannot move files to {layout.unknown}: {error.strerror}") from error
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
    what, reason = _problem(folder / image.path, image)
    return Finding(what, image.path, reason, page_url) if what else None


def _problem(file: Path, image: Image) -> tuple[str, str]:
    """Return what is wrong with a file and the reason, or empty strings. Never reads more than the image has bytes."""
    try:
        size = regular_size(file)
        content = file.read_bytes() if size == image.bytes else b""
    except FileNotFoundError:
        return "missing", "the file does not exist"
    except OSError as error:
        return "undecodable", f"the file cannot be read: {error.strerror}"
    if len(content) != image.bytes:
        return "cut", f"the file has {size:,} bytes instead of {image.bytes:,}"
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != image.checksum:
        return "altered", f"the MD5 of the file is not {image.checksum}"
    try:
        validate_image(content)
    except InvalidImageError as error:
        return "undecodable", str(error)
    return "", ""


def _check_folder(dataset: Dataset) -> Iterator[Finding]:
    files = {dataset.layout.path(file) for file in dataset.layout.images.glob("*")}
    for path in sorted(files.difference(image.path for record in dataset.records() for image in record.images)):
        yield Finding(UNKNOWN, path, "the catalog has no record with this file")


def _check_feed(feed: Path, records: Iterator[Record]) -> Iterator[Finding]:
    try:
        published = Counter(map(_canonical, _records(feed)))
    except OSError as error:
        yield Finding("no feed", str(feed), f"the feed cannot be read: {error.strerror}")
        return
    except (RecursionError, ValueError) as error:
        yield Finding("no feed", str(feed), f"the feed is not a list of records: {error}")
        return
    for record in records:
        row = _canonical(record.item)
        published[row] -= 1
        if published[row] < 0:
            yield Finding("not in the feed", record.page_url, f"the feed {feed} has no identical record")
    for row in published.elements():  # the records that the catalog does not have
        yield Finding("only in the feed", str(feed), f"the catalog has no record {row:.200}")


def _canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def _records(feed: Path) -> list[dict[str, Any]]:
    with feed.open(encoding="utf-8") as file:
        rows = json.load(file) if feed.suffix == ".json" else [json.loads(line) for line in file]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("an element is not a JSON object")
    return rows
