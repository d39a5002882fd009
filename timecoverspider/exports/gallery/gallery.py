"""Build a gallery: a page that shows all images of a data set, and opens from a disk or from a web server."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from functools import cached_property
from io import BytesIO
from itertools import groupby
from pathlib import Path
from statistics import median

from PIL import Image

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import write_atomically
from timecoverspider.dataset.lock import Lock
from timecoverspider.exceptions import DatasetError
from timecoverspider.exports.averages import Picked, write_averages
from timecoverspider.exports.collection import Entry, read_collection
from timecoverspider.exports.gallery.measurements import to_csv
from timecoverspider.exports.gallery.page import Decade, Page, Tile, render, render_quality
from timecoverspider.exports.gallery.sheets import Chunk, cell_size, chunks, draw_sheet, draw_strip
from timecoverspider.exports.gallery.thumbnails import Thumbnails
from timecoverspider.exports.quality.quality import STEPS, Hint, inspect

_MD5 = re.compile("[0-9a-f]{32}")
_AVERAGE_WIDTH = 400  # pixels, as in the tutorial's follow-up


class Gallery:
    """The gallery of a data set, in its folder ``gallery``.

    The name of a file depends on the content that the file is made of, except for the two pages and measurements.csv:
    if a build is killed, the earlier page stays complete, and the next build continues. ``index.html`` is written last.

    *note* is a sentence on the origin of the images.

    Raises: CatalogError if the catalog cannot be read.
    """

    def __init__(self, dataset: Dataset, note: str = "") -> None:
        self._dataset, self._note, self._layout = dataset, note, dataset.layout
        self._folder, self._drafts = dataset.layout.gallery, dataset.layout.gallery / ".drafts"
        self._thumbnails = Thumbnails(self._folder / "thumbnails", self._drafts)
        damaged = {image.path for image in dataset.survey().damaged}
        self._entries: list[Entry] = []
        self.left_out: list[tuple[Entry, str]] = []
        for entry in read_collection(dataset):
            if entry.image.path in damaged or not _MD5.fullmatch(entry.image.checksum):
                self.left_out.append((entry, "the file is missing, or is not the one in the catalog"))
            else:
                self._entries.append(entry)

    @cached_property
    def new(self) -> dict[str, Entry]:
        """The images that have no thumbnail yet, by checksum."""
        some = {entry.image.checksum: entry for entry in self._entries}
        return {checksum: entry for checksum, entry in some.items() if not self._thumbnails.find(checksum)}

    @property
    def work(self) -> int:
        """The number of steps of ``build``: thumbnails of new images; each image is drawn, averaged and inspected."""
        return len(self.new) + (2 + STEPS) * len(self._entries)

    def build(self, done: Callable[[int], object]) -> int:
        """Make what is missing, write the page, delete what is not used any more, and return the number of images.

        *done* is called with a number of steps. ``left_out`` then also has the images that could not be read. Without
        images, nothing is written.

        Raises: DatasetLockedError if another process builds the gallery; DatasetError if a file cannot be written.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            with closing(Lock(self._folder / ".lock")):
                for draft in self._drafts.glob("*"):
                    draft.unlink()
                self._make_thumbnails(done)
                tiles = list(self._tiles())
                if tiles:
                    self._delete_unused(self._write(tiles, done))
        except OSError as error:
            raise DatasetError(
                f"cannot write to {error.filename or self._folder}: {error.strerror or error}"
            ) from error
        return len(tiles)

    def _make_thumbnails(self, done: Callable[[int], object]) -> None:
        entries = {entry.image.path: entry for entry in self.new.values()}
        images = (entry.image for entry in entries.values())
        for path, error in self._thumbnails.make(images, self._layout.folder, lambda: done(1)):
            self.left_out.append((entries[path], str(error)))

    def _tiles(self) -> Iterator[Tile]:
        """Yield each image that has a thumbnail."""
        for entry in self._entries:
            if thumbnail := self._thumbnails.find(entry.image.checksum):
                yield Tile(entry, (thumbnail.width, thumbnail.height), thumbnail.measurement)

    def _write(self, tiles: list[Tile], done: Callable[[int], object]) -> set[Path]:
        """Write all files but the thumbnails, and return the paths of all files that the page uses."""
        sizes = [tile.size for tile in tiles]
        cell = cell_size(sizes)
        parts = list(chunks([tile.entry for tile in tiles]))
        for part in parts:
            self._draw(part, cell, sizes)
            done(len(part.entries))
        decades = self._decades(tiles, done)
        hints, hints_file = self._hints(done)
        page = Page(self._dataset, tiles, parts, cell, decades, hints, self._note)
        self._update(
            self._folder / "measurements.csv", to_csv((tile.entry, tile.measurement) for tile in tiles).encode()
        )
        self._update(self._folder / "quality.html", render_quality(page).encode())
        self._update(self._layout.gallery_page, render(page).encode())
        names = [f"{folder}/{part.name(cell)}" for part in parts for folder in ("sheets", "strips")]
        names += [decade.file for decade in decades]
        thumbnails = {self._thumbnails.path(tile.entry.image.checksum) for tile in tiles}
        return thumbnails | {self._folder / name for name in names} | {hints_file}

    def _draw(self, part: Chunk, cell: tuple[int, int], sizes: list[tuple[int, int]]) -> None:
        """Draw the sheet and the strip of a chunk, if they are not drawn yet."""
        sheet, strip = (self._folder / name / part.name(cell) for name in ("sheets", "strips"))
        files = [self._thumbnails.path(entry.image.checksum) for entry in part.entries]
        if not sheet.exists():
            pairs = list(zip(files, sizes[part.start :], strict=False))
            write_atomically(sheet, draw_sheet(pairs, cell), self._drafts)
        if not strip.exists():
            write_atomically(strip, draw_strip(files), self._drafts)

    def _decades(self, tiles: list[Tile], done: Callable[[int], object]) -> list[Decade]:
        """Return the decades, and write the averages that do not exist yet, in the shape of most images."""
        size = _average_size([tile.size for tile in tiles])
        decades, images = [], []
        for year, group in groupby(tiles, lambda tile: tile.entry.decade):
            some = [tile.entry for tile in group]
            if year is None:
                done(len(some))
                continue
            content = " ".join([str(size), *(entry.image.checksum for entry in some)])
            name = f"averages/{year}-{hashlib.sha256(content.encode()).hexdigest()[:20]}.png"
            decades.append(Decade(year, len(some), name, size))
            if (self._folder / name).exists():
                done(len(some))
            else:
                rows = ((entry.image, entry.page_url) for entry in some)
                images += [Picked(year, image.width, image.height, image.path, page) for image, page in rows]
        out = _Averages({decade.year: self._folder / decade.file for decade in decades}, self._drafts)
        write_averages(sorted(images), self._layout.folder, out, size=size, report=_refuse, done=done)
        return decades

    def _hints(self, done: Callable[[int], object]) -> tuple[list[Hint], Path]:
        """Return the hints on the quality of the images, and the file that has them; write a missing file."""
        distinct = self._layout.distinct
        content = [
            str(self._dataset.catalog.count()),
            distinct.read_text("utf-8", "replace") if distinct.exists() else "",
        ]
        content += [f"{entry.image.path} {entry.image.checksum}" for entry in self._entries]
        file = self._folder / "hints" / f"{hashlib.sha256(chr(10).join(content).encode()).hexdigest()[:20]}.json"
        if file.exists():
            done(STEPS * len(self._entries))
            return [Hint(**hint) for hint in json.loads(file.read_text("utf-8"))], file
        hints = inspect(self._dataset, done)
        write_atomically(file, json.dumps([asdict(hint) for hint in hints]).encode(), self._drafts)
        return hints, file

    def _update(self, file: Path, content: bytes) -> None:
        if not file.exists() or file.read_bytes() != content:
            write_atomically(file, content, self._drafts)

    def _delete_unused(self, used: Iterable[Path]) -> None:
        kept = set(used)
        for folder in ("thumbnails", "sheets", "strips", "averages", "hints"):
            for file in (self._folder / folder).glob("*"):
                if file not in kept and file.is_file():  # a file server or a person can have folders there
                    file.unlink()


def _refuse(problem: str) -> None:
    """Raise DatasetError: an image cannot be read, although it was intact when its thumbnail was made.

    Without this image, the average would stay wrong: its name says that all images of the decade are in it.
    """
    raise DatasetError(f"{problem}: try scrapy verify --repair")


class _Averages:
    """Writes the average of each decade to its file."""

    def __init__(self, files: Mapping[int, Path], drafts: Path) -> None:
        self._files, self._drafts = files, drafts

    def write(self, period: int, image: Image.Image) -> None:
        file = BytesIO()
        image.save(file, "PNG")
        write_atomically(self._files[period], file.getvalue(), self._drafts)


def _average_size(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the averages: at most _AVERAGE_WIDTH wide, in the shape of most images."""
    width = min(_AVERAGE_WIDTH, int(median(width for width, _ in sizes)))
    return width, max(1, round(width * median(height / width for width, height in sizes)))
