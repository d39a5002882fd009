"""Rows of the catalog, and a small data set on disk, without a crawl."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from io import BytesIO
from pathlib import Path

import psycopg
from data_set import image_path
from PIL import Image as Picture

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.metadata import MetadataFile
from timecoverspider.dataset.rows import Fields, Image, Record
from timecoverspider.replica.pages import cover_url, image_url

TIME = "2026-11-23T08:37:27+00:00"
COVERS = Fields(key=("pubDate", "file_urls"), order="pubDate")


def image(url: str = "i", checksum: str = "c") -> Image:
    return Image(f"full/{url}.jpg", url, checksum, 600, 790, 5, '"e"', "", TIME, TIME, "")


def record(
    page_url: str,
    *,
    date: str = "2014-03-10",
    urls: tuple[str, ...] = ("i",),
    title: str = "t",
    fields: Fields = COVERS,
) -> Record:
    """Return a record of one cover; its images have the paths that ``image`` gives them."""
    files = [{"url": url, "path": f"full/{url}.jpg", "checksum": "c"} for url in urls]
    item = {"title": title, "pubDate": date, "file_urls": list(urls), "files": files}
    return Record(fields.key_of(item), item, page_url, TIME, TIME, tuple(map(image, urls)))


def save(catalog: Catalog, *records: Record, crawl: int = 1) -> list[bool]:
    """Write records with their images; tell of each whether it is new."""
    images = {image.path: image for record in records for image in record.images}
    return catalog.save(records=records, images=images.values(), crawl=crawl)


def table_names(place: str | Path) -> set[str]:
    """Return the names of all tables in an SQLite file, or at the URL of a PostgreSQL database."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    with psycopg.connect(place) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def small_jpeg(comment: str) -> bytes:
    """Return a valid JPEG. Comments of different lengths make images of different sizes."""
    file = BytesIO()
    Picture.new("L", (16, 21), 128).save(file, "JPEG", comment=comment)
    return file.getvalue()


def write_metadata(dataset: Dataset) -> str:
    """Write metadata.jsonl as a crawl does, and return the warning."""
    survey = dataset.survey()
    with closing(MetadataFile(dataset, lambda: dataset.complete_records(survey))) as metadata:
        for _ in metadata.passing():
            pass
        return metadata.publish()


def make_dataset(folder: Path, days: Sequence[date]) -> None:
    """Make the data set and the feed that a crawl of these issues leaves, with images of 500 bytes."""
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        dataset.catalog.describe("covers", COVERS)
        save(dataset.catalog, *(_store_cover(folder, day, number) for number, day in enumerate(days)))
        write_metadata(dataset)
        items = [record.item for record in dataset.records()]
    (folder / "output.json").write_text(json.dumps(items))


def _store_cover(folder: Path, day: date, number: int) -> Record:
    content, file, url = small_jpeg("x" * number), image_path(folder, day), image_url(day)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    checksum = hashlib.md5(content).hexdigest()
    stored = Image(f"full/{file.name}", url, checksum, 16, 21, len(content), "", "", TIME, TIME, "")
    files = [{"url": url, "path": stored.path, "checksum": checksum}]
    item = {"title": day.strftime("%A"), "pubDate": day.isoformat(), "file_urls": [url], "files": files}
    return Record(COVERS.key_of(item), item, cover_url(day), TIME, TIME, (stored,))


def store_images(folder: Path, images: Sequence[tuple[str, bytes]]) -> list[Path]:
    """Make a data set of images with these dates, one a record, and return the files."""
    files = [folder / "full" / f"{number}.img" for number in range(len(images))]
    (folder / "full").mkdir(parents=True, exist_ok=True)
    with Dataset(folder, write=True, archive="live") as dataset:
        dataset.catalog.describe("covers", Fields())
        for file, (day, content) in zip(files, images, strict=True):
            file.write_bytes(content)
            url = f"http://example.com/{file.stem}"
            with Picture.open(BytesIO(content)) as picture:
                size = picture.size
            checksum = hashlib.md5(content).hexdigest()
            stored = Image(f"full/{file.name}", url, checksum, *size, len(content), "", "", TIME, TIME, "")
            item = {"date": day, "file_urls": [url], "files": [{"url": url, "path": stored.path}]}
            save(
                dataset.catalog, Record(COVERS.key_of({"file_urls": [url]}), item, f"{url}.html", TIME, TIME, (stored,))
            )
    return files
