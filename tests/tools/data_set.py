"""Read what a crawl has stored in a folder."""

import hashlib
import json
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any


def feed(folder: Path, name: str = "output.json") -> bytes:
    return (folder / name).read_bytes()


def records(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(feed(folder))
    return rows


def metadata(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of metadata.jsonl."""
    lines = (folder / "output" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def image_path(folder: Path, day: date) -> Path:
    from timecoverspider.replica.pages import image_url  # noqa: PLC0415 (a project without the replica has tests too)

    return folder / "output" / "full" / f"{hashlib.sha1(image_url(day).encode()).hexdigest()}.jpg"


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Run a query on the catalog."""
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    try:
        with connection:
            return connection.execute(query).fetchall()
    finally:
        connection.close()


def failures(folder: Path) -> dict[str, str]:
    """Return the pages that the last crawl could not get, or whose images it could not get, with the reason."""
    return dict(rows(folder, "SELECT url, failure FROM pages WHERE failure <> ''"))


def assert_complete(folder: Path) -> None:
    """Assert that the feed and metadata.jsonl, if they exist, are valid, and have images with the right checksums."""
    output = folder / "output"
    if (folder / "output.json").exists():
        for record in records(folder):
            [file] = record["files"]
            assert hashlib.md5((output / file["path"]).read_bytes()).hexdigest() == file["checksum"]
    if (output / "metadata.jsonl").exists():
        for row in metadata(folder):
            assert hashlib.md5((output / row["file_name"]).read_bytes()).hexdigest() == row["checksum"]
