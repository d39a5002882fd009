"""A data set of any images, without a crawl."""

import hashlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image as Picture
from sample_dataset import TIME

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.images import validate_image
from timecoverspider.dataset.rows import Fields, Image, Record

COVERS = Fields(key=("pubDate", "file_urls"), order="pubDate")


class Sample(NamedTuple):
    """A record and the files of its images."""

    item: dict[str, Any]
    files: dict[str, bytes]  # the content by the path below the folder of the data set
    page_url: str = "http://site/page"
    image_url: str = "http://site/image/"  # before the path


def cover(number: int, date: str = "", title: str = "", *, path: str = "", content: bytes = b"") -> Sample:
    """Return a record with one image, by default of a colour that depends on the number."""
    item = {"title": title or f"Title {number}", "pubDate": date}
    return Sample(item, {path or f"full/{number}.jpg": content or picture(number)}, f"http://site/{number}")


def picture(
    number: int, size: tuple[int, int] = (40, 53), mode: str = "RGB", kind: str = "JPEG", **options: Any
) -> bytes:
    """Return an image file of one colour."""
    colour = (number * 47 % 256, number * 101 % 256, number * 13 % 256)
    file = BytesIO()
    Picture.new("RGB", size, colour).convert(mode).save(file, kind, **options)
    return file.getvalue()


def make_samples(
    folder: Path, samples: Iterable[Sample], fields: Fields = COVERS, spider: str = "covers", *, archive: str = "live"
) -> Path:
    """Make a data set in a folder, or add to the one that is there, and return the folder."""
    with Dataset(folder, write=True, archive=archive) as dataset:
        dataset.catalog.describe(spider, fields)
        records = [_record(folder, sample, number) for number, sample in enumerate(samples)]
        images = {image.path: image for record in records for image in record.images}
        dataset.catalog.save(records=records, images=images.values(), crawl=1)
    return folder


def _record(folder: Path, sample: Sample, number: int) -> Record:
    images = tuple(_store(folder, path, content, sample.image_url) for path, content in sample.files.items())
    files = [{"url": image.url, "path": image.path, "checksum": image.checksum} for image in images]
    item = {**sample.item, "file_urls": [image.url for image in images], "files": files}
    return Record(f"{number}-{sample.page_url}", item, sample.page_url, TIME, TIME, images)


def _store(folder: Path, path: str, content: bytes, url: str) -> Image:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    width, height = validate_image(content)
    checksum = hashlib.md5(content).hexdigest()
    return Image(path, f"{url}{path}", checksum, width, height, len(content), "", "", TIME, TIME, "")


def samples_of(records: Sequence[dict[str, Any]], folder: Path) -> list[Sample]:
    """Return the records of a feed whose images are in a folder."""
    found = []
    for number, record in enumerate(records):
        item = {name: value for name, value in record.items() if name not in ("files", "file_urls")}
        files = {file["path"]: (folder / file["path"]).read_bytes() for file in record["files"]}
        found.append(Sample(item, files, f"http://site/{number}"))
    return found
