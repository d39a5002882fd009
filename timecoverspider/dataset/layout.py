"""Every name below the folder of a data set."""

from dataclasses import dataclass
from pathlib import Path

IMAGES = "full"  # the tutorial's name


@dataclass(frozen=True, slots=True)
class Layout:
    """The places in the folder of a data set, which is ``output/`` unless FILES_STORE says otherwise."""

    folder: Path

    @property
    def images(self) -> Path:
        """The images that records have."""
        return self.folder / IMAGES

    @property
    def unknown(self) -> Path:
        """Files that repairs moved out of ``images``, because no record has them."""
        return self.folder / "unknown"

    @property
    def invalid_pages(self) -> Path:
        """Pages that could not be read, for whoever mends the selectors."""
        return self.folder / "rejected"

    @property
    def drafts(self) -> Path:
        """Files that are being written, before they have their names."""
        return self.folder / ".incoming"

    @property
    def catalog(self) -> Path:
        """The catalog, unless CATALOG_URL names another place."""
        return self.folder / "catalog.db"

    @property
    def lock(self) -> Path:
        """Whoever writes to the data set holds this file."""
        return self.folder / ".lock"

    @property
    def archive(self) -> Path:
        """The name of the archive that fills the data set."""
        return self.folder / ".archive"

    def path(self, file: Path) -> str:
        """The name by which the catalog knows a file: relative to the folder, with slashes."""
        return file.relative_to(self.folder).as_posix()
