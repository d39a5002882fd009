"""Data sets of images that a test draws itself."""

import hashlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image as Picture
from PIL import ImageDraw, ImageEnhance, ImageFont
from sample_dataset import COVERS, TIME

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Image, Record


def encode(image: Picture.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def draw(number: int, size: tuple[int, int] = (200, 264)) -> Picture.Image:
    """Draw an image that shares its frame, and nothing else, with those of other numbers."""
    chance, image = Random(number), Picture.new("RGB", size)
    pen = ImageDraw.Draw(image)
    for row in range(8):
        pen.rectangle((0, row * size[1] // 8, size[0], size[1]), tuple(chance.randrange(60, 200) for _ in range(3)))
    for _ in range(9):
        x, y = chance.uniform(0.1, 0.9) * size[0], chance.uniform(0.2, 0.9) * size[1]
        radius, colour = chance.uniform(0.05, 0.2) * size[0], tuple(chance.randrange(20, 230) for _ in range(3))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    for _ in range(300):  # details that are smaller than a pixel of a thumbnail
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        pen.rectangle((x, y, x + chance.randrange(9), y + 3), tuple(chance.randrange(256) for _ in range(3)))
    pen.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=(198, 24, 29), width=8)
    pen.text((size[0] / 5, 10), "FRAME", (255, 255, 255), ImageFont.load_default(36))
    return image


def _crop(image: Picture.Image, *shares: float) -> Picture.Image:
    left, top, right, bottom = (share * image.size[place % 2] for place, share in enumerate(shares))
    return image.crop((round(left), round(top), round(right), round(bottom)))


def _caption(image: Picture.Image) -> Picture.Image:
    copy = image.copy()
    width, height = copy.size
    ImageDraw.Draw(copy).rectangle((width * 0.1, height * 0.75, width * 0.6, height * 0.81), 255)
    return copy


CHANGES: Mapping[str, Callable[[Picture.Image], Picture.Image]] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "larger": lambda image: image.resize((image.width * 3 // 2, image.height * 3 // 2)),
    "other shape": lambda image: image.resize((image.width * 21 // 20, image.height)),
    "recompressed": lambda image: Picture.open(BytesIO(encode(image, quality=20))),
    "cropped": lambda image: _crop(image, 0.02, 0.02, 0.98, 0.98),
    "cropped on two sides": lambda image: _crop(image, 0.04, 0, 1, 0.96),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darkened": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "less contrast, cropped": lambda image: ImageEnhance.Contrast(_crop(image, 0.02, 0, 1, 1)).enhance(0.8),
    "with a caption": _caption,
}


def make_image_set(folder: Path, images: Mapping[str, bytes], pages: Mapping[str, int] | None = None) -> None:
    """Make a data set of image files by path, in this order; *pages*: how many records have an image, by default 1."""
    with Dataset(folder, write=True, archive="live") as dataset:
        dataset.catalog.describe("covers", COVERS)
        (folder / "full").mkdir()
        records = []
        for number, (path, content) in enumerate(images.items()):
            (folder / path).write_bytes(content)
            stored = _stored(path, content)
            for copy in range((pages or {}).get(path, 1)):
                date = f"{1900 + number // 336}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
                files = [{"url": stored.url, "path": path, "checksum": stored.checksum}]
                item = {"title": f"{number}", "pubDate": date, "file_urls": [stored.url, str(copy)], "files": files}
                page = f"http://site/{number}-{copy}"
                records.append(Record(COVERS.key_of(item), item, page, TIME, TIME, (stored,)))
        unique = {image.path: image for record in records for image in record.images}
        dataset.catalog.save(records=records, images=unique.values(), crawl=1)


def _stored(path: str, content: bytes) -> Image:
    try:
        width, height = Picture.open(BytesIO(content)).size
    except OSError:
        width = height = 1
    checksum = hashlib.md5(content).hexdigest()
    return Image(path, f"http://site/{path}", checksum, width, height, len(content), "", "", TIME, TIME, "")
