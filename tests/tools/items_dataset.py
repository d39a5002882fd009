"""A data set of any items, without a crawl; and what an export of one has in it."""

import hashlib
import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Picture
from sample_dataset import TIME

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Fields, Image, Page, Record

SPIDER = "things"


def drawing(number: int, kind: str = "JPEG") -> bytes:
    """Return an image, which differs from those with other numbers."""
    file = BytesIO()
    Picture.new("RGB", (16 + number % 7, 21), (number % 256, number // 256 % 256, 99)).save(file, kind)
    return file.getvalue()


def store_items(
    folder: Path,
    items: Iterable[dict[str, Any]],
    contents: Iterable[bytes] | None = None,
    *,
    suffix: str = ".jpg",
    fields: Fields | None = None,
    failures: dict[str, str] | None = None,
    host: str = "shop.example",
    archive: str = "live",
) -> Path:
    """Add items, each with an image, to the data set in a folder, and return the folder."""
    items = list(items)
    fields = fields or Fields()
    with Dataset(folder, write=True, archive="live") as dataset:
        catalog = dataset.catalog
        catalog.describe(SPIDER, fields, [host])
        crawl = catalog.begin_crawl(SPIDER, archive)
        records, images = [], []
        for number, (item, content) in enumerate(zip(items, contents or map(drawing, range(len(items))), strict=True)):
            image = _store(folder, f"http://{host}/images/{hashlib.md5(content).hexdigest()}{suffix}", content)
            files = [{"url": image.url, "path": image.path, "checksum": image.checksum}]
            whole = {**item, fields.urls: [image.url], fields.files: files}
            records.append(Record(fields.key_of(whole), whole, f"http://{host}/{number}", TIME, TIME, (image,)))
            images.append(image)
        pages = [Page(url, 0, 0, TIME, reason) for url, reason in (failures or {}).items()]
        catalog.save(records=records, images=images, pages=pages, failures=failures, crawl=crawl)
        catalog.end_crawl(crawl, outcome="complete", complete_walk=True, new=len(items), stated=len(items))
    return folder


def _store(folder: Path, url: str, content: bytes) -> Image:
    path = f"full/{hashlib.sha1(url.encode()).hexdigest()}{Path(url).suffix}"
    (folder / "full").mkdir(exist_ok=True)
    (folder / path).write_bytes(content)
    return Image(path, url, hashlib.md5(content).hexdigest(), 16, 21, len(content), "", "", TIME, TIME, "")


def covers(count: int) -> list[dict[str, Any]]:
    """Return items with a title and a date, the newest first."""
    return [{"title": f"Cover {n}", "pubDate": f"{2000 - n % 60}-03-{n % 28 + 1:02}"} for n in range(count)]


def image_bytes(folder: Path) -> dict[str, bytes]:
    """Return the content of each stored image by its MD5."""
    contents = (file.read_bytes() for file in (folder / "full").iterdir())
    return {hashlib.md5(content).hexdigest(): content for content in contents}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return all files below a folder with their content, and all folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def croissant(folder: Path) -> dict[str, Any]:
    """Return the croissant.json of an export."""
    described: dict[str, Any] = json.loads((folder / "croissant.json").read_bytes())
    return described
