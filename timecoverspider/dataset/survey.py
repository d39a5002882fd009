"""What of a data set is stored, as its files stand."""

from collections.abc import Mapping

from timecoverspider.dataset.rows import Image


class Survey:
    """Which pages need not be requested, and which images are damaged: gone, or of another size than the catalog says.

    *records* is how many the catalog has, *pages* those that held one record each, and *damaged* has each damaged image
    by its path, with the ids of its records and their pages.
    """

    def __init__(self, records: int, pages: set[str], damaged: Mapping[str, tuple[Image, dict[int, str]]]) -> None:
        self.records, self.pages = records, pages
        self._damaged = dict(damaged)

    @property
    def damaged(self) -> list[Image]:
        """The damaged images."""
        return [image for image, _ in self._damaged.values()]

    @property
    def complete(self) -> int:
        """How many records have all their images."""
        return self.records - len({record for _, owners in self._damaged.values() for record in owners})

    def is_damaged(self, image: Image) -> bool:
        """Whether an image has to be fetched again."""
        return image.path in self._damaged

    def pages_with(self, image: Image) -> list[str]:
        """The pages of the records that have a damaged image."""
        return sorted(set(self._damaged[image.path][1].values())) if image.path in self._damaged else []

    def repair(self, path: str) -> None:
        """Note that an image has been fetched again."""
        self._damaged.pop(path, None)
