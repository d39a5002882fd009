"""Compare the stored image files with the catalog."""

from collections.abc import Collection, Mapping

from timecoverspider.dataset.rows import Image


class Survey:
    """The pages that a crawl can skip, and the damaged images: missing, or another file than the catalog says.

    *records* is the number of records in the catalog. *pages* has the pages that yielded one record and nothing else,
    by URL the time when each was read, and *others* the URLs of all other pages with a record. *damaged* maps the path
    of an image to the image, and to the page URLs of its records by record id.
    """

    def __init__(
        self,
        records: int,
        pages: Mapping[str, str],
        others: Collection[str],
        damaged: Mapping[str, tuple[Image, dict[int, str]]],
    ) -> None:
        self.records, self.pages, self.others = records, pages, others
        self._damaged = dict(damaged)

    @property
    def damaged(self) -> list[Image]:
        """The damaged images."""
        return [image for image, _ in self._damaged.values()]

    @property
    def complete(self) -> int:
        """The number of records that have all their images."""
        return self.records - len({record for _, owners in self._damaged.values() for record in owners})

    def is_damaged(self, image: Image) -> bool:
        """Return whether an image is damaged."""
        return image.path in self._damaged

    def pages_with(self, image: Image) -> list[str]:
        """Return the page URLs of all records with this image, if the image is damaged."""
        return sorted(set(self._damaged[image.path][1].values())) if image.path in self._damaged else []

    def repair(self, path: str) -> None:
        """Remove an image from the damaged images, because it was downloaded again."""
        self._damaged.pop(path, None)
