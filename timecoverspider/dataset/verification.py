"""Whether a data set on disk is what its catalog and its feed say."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from timecoverspider.dataset.catalog import Catalog, Cover
from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.extensions.feedexport import record

UNKNOWN = "unknown"  # what is found of a file that no cover has
_AT_A_TIME = 1000  # covers that are handed to the threads


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a data set."""

    what: str  # missing, cut, altered, undecodable, unknown, not in the feed, only in the feed, no feed
    subject: str  # a path below FILES_STORE, a page's URL, or a feed
    reason: str
    page_url: str = ""  # of the cover whose picture it is


def verify(folder: Path, catalog: Catalog, feed: Path | None, done: Callable[[], object]) -> Iterator[Finding]:
    """Check the pictures in a folder, and the feed where there is one, against the catalog; nothing is changed.

    Pictures are read and decoded by a thread for each core; *done* is called after each. Raises CatalogError.
    """
    yield from _check_pictures(folder, catalog.covers(), done)
    yield from _check_folder(folder, catalog.covers())
    if feed:
        yield from _check_feed(feed, catalog.covers())


def _check_pictures(folder: Path, covers: Iterator[Cover], done: Callable[[], object]) -> Iterator[Finding]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while batch := list(islice(covers, _AT_A_TIME)):
            for finding in threads.map(partial(_check_picture, folder), batch):
                done()
                if finding:
                    yield finding


def _check_picture(folder: Path, cover: Cover) -> Finding | None:
    def found(what: str, reason: str) -> Finding:
        return Finding(what, cover.path, reason, cover.page_url)

    try:
        content = (folder / cover.path).read_bytes()
    except FileNotFoundError:
        return found("missing", "there is no such file")
    except OSError as error:
        return found("undecodable", f"it cannot be read: {error.strerror}")
    if len(content) != cover.bytes:
        return found("cut", f"it has {len(content):,} bytes in place of {cover.bytes:,}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != cover.checksum:
        return found("altered", f"its MD5 is not {cover.checksum}")
    try:
        validate_image(content)
    except InvalidImageError as error:
        return found("undecodable", str(error))
    return None


def _check_folder(folder: Path, covers: Iterator[Cover]) -> Iterator[Finding]:
    files = {str(file.relative_to(folder)) for file in (folder / "full").glob("*")}
    for path in sorted(files.difference(cover.path for cover in covers)):
        yield Finding(UNKNOWN, path, "no cover in the catalog has this file")


def _check_feed(feed: Path, covers: Iterator[Cover]) -> Iterator[Finding]:
    try:
        published = Counter(map(_canonical, _records(feed)))
    except OSError as error:
        yield Finding("no feed", str(feed), f"it cannot be read: {error.strerror}")
        return
    except ValueError as error:
        yield Finding("no feed", str(feed), f"it is no list of records: {error}")
        return
    for cover in covers:
        row = _canonical(dict(record(cover)))
        published[row] -= 1
        if published[row] < 0:
            yield Finding("not in the feed", cover.page_url, f"{feed} has no record of it that says the same")
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
