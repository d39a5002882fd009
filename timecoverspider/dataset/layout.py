"""The names of all files and folders of a data set."""

from dataclasses import dataclass
from pathlib import Path

IMAGES = "full"  # the tutorial's name


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths in the folder of a data set (setting FILES_STORE, by default ``output/``)."""

    folder: Path

    @property
    def images(self) -> Path:
        """The images of all records."""
        return self.folder / IMAGES

    @property
    def metadata(self) -> Path:
        """One row for each image, for programs that know the convention *imagefolder*."""
        return self.folder / "metadata.jsonl"

    @property
    def unknown(self) -> Path:
        """Files without a record, moved out of ``images`` by a repair."""
        return self.folder / "unknown"

    @property
    def invalid_pages(self) -> Path:
        """Invalid pages, for a developer who corrects the selectors."""
        return self.folder / "rejected"

    @property
    def gallery(self) -> Path:
        """The gallery: its page, and what the page shows."""
        return self.folder / "gallery"

    @property
    def gallery_page(self) -> Path:
        """The page of the gallery, to open with a browser."""
        return self.gallery / "index.html"

    @property
    def averages(self) -> Path:
        """The averages of the images, in a folder for decades and a folder for years."""
        return self.folder / "averages"

    @property
    def report(self) -> Path:
        """The status of the data set at the end of the last crawl, as JSON."""
        return self.folder / "report.json"

    @property
    def distinct(self) -> Path:
        """A text file of the user's: pairs of images that are no duplicates."""
        return self.folder / "distinct.txt"

    @property
    def drafts(self) -> Path:
        """Files that are being written, before they are renamed to their final names."""
        return self.folder / ".incoming"

    @property
    def catalog(self) -> Path:
        """The catalog, unless CATALOG_URL is set."""
        return self.folder / "catalog.db"

    @property
    def lock(self) -> Path:
        """The file that a process locks while it writes to the data set."""
        return self.folder / ".lock"

    @property
    def archive(self) -> Path:
        """A file with the name of the archive that the covers come from."""
        return self.folder / ".archive"

    def path(self, file: Path) -> str:
        """Return a file's path in the catalog: relative to the folder, with slashes."""
        return file.relative_to(self.folder).as_posix()
