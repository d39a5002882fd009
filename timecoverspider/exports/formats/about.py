"""What the data set card and croissant.json say about an export."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Crawl
from timecoverspider.exports.formats.contents import DataFile
from timecoverspider.exports.formats.originals import Damaged
from timecoverspider.exports.formats.table import Column, Row, Table

DRAWN = "The images are drawings that a program made; they are not TIME's covers, and most titles are invented."
_SHOWN = 50  # failed pages and damaged images that are named; more are counted


@dataclass
class About:
    """The facts of an export. ``see`` counts its rows."""

    format: str
    spider: str
    hosts: list[str]
    columns: list[Column]
    left_out: list[str]  # fields that no column has
    records: int
    drawn: int  # how many images are the replica's drawings
    crawls: list[Crawl]
    failures: list[tuple[str, str]]  # URL of a page, and why it failed, of the first pages
    failed: int
    version: str = ""
    images: int = 0
    bytes: int = 0  # of the images
    first: str = ""  # the first and the last date, as in collection.Entry
    last: str = ""
    decades: Counter[int] = field(default_factory=Counter)
    scheme: str = "http"
    suffixes: set[str] = field(default_factory=set)  # of the image files
    files: list[DataFile] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)

    @classmethod
    def of(cls, dataset: Dataset, kind: str, table: Table) -> "About":
        """Return what the catalog says."""
        catalog, failures = dataset.catalog, _failures(dataset)
        shown = list(islice(failures, _SHOWN))
        return cls(
            format=kind,
            spider=catalog.spider,
            hosts=list(catalog.hosts),
            columns=table.columns,
            left_out=table.left_out,
            records=catalog.count(),
            drawn=table.drawn,
            crawls=[crawl for crawl in catalog.crawls() if crawl.ended],
            failures=shown,
            failed=len(shown) + sum(1 for _ in failures),
        )

    def see(self, row: Row) -> None:
        """Count a row. Rows with a date come first, in the order of the dates."""
        if not self.images:
            parts = urlsplit(row.page_url)
            self.scheme, self.hosts = parts.scheme or "http", self.hosts or [parts.hostname or "localhost"]
        self.images += 1
        self.bytes += row.bytes
        self.suffixes.add(row.file_name.rpartition(".")[2].lower())
        if row.date:
            self.first, self.last = self.first or row.date, row.date
            self.decades[int(row.date[:4]) // 10 * 10] += 1

    @property
    def site(self) -> str:
        """The URL of the site."""
        return f"{self.scheme}://{self.hosts[0]}/"

    @property
    def latest(self) -> Crawl | None:
        """The latest crawl that has ended."""
        return self.crawls[-1] if self.crawls else None

    @property
    def notable_crawls(self) -> list[Crawl]:
        """The crawls that stored records, and the latest crawl: a data set may have a crawl for each night of years."""
        return [crawl for crawl in self.crawls if crawl.new or crawl is self.latest]

    @property
    def shown_damaged(self) -> list[Damaged]:
        """The damaged images that are named."""
        return self.damaged[:_SHOWN]

    @property
    def data_bytes(self) -> int:
        """The bytes of the files that have the data."""
        return sum(file.bytes for file in self.files) + self.bytes * (self.format == "imagefolder")

    @property
    def is_drawn(self) -> bool:
        """Whether all images are drawings, and so have the licence of this program."""
        return self.drawn >= self.images

    @property
    def licence(self) -> str:
        """The licence, in one sentence."""
        if self.is_drawn:
            return "The drawings have the licence of the program that made them: MIT."
        return (
            f"The images are their publishers'. They were collected from {self.hosts[0]}, which did not license them: "
            "ask the publishers before you copy or publish them."
        )

    @property
    def summary(self) -> str:
        """The data set, in a few sentences."""
        dates = f", dated {self.first} to {self.last}" if self.first else ""
        drawn = f" {DRAWN} This concerns {self.drawn:,} images." if self.drawn else ""
        return f"{self.images:,} images of {self.hosts[0]}{dates}, each with the fields of its record.{drawn}"

    @property
    def collection(self) -> str:
        """How the data was collected, in a few sentences."""
        return (
            f"The Scrapy spider {self.spider} of the project timecoverspider read the listings and item pages of "
            f"{', '.join(self.hosts)}, and downloaded the images. Each image was decoded before it was stored, and its "
            f"MD5 was compared before it was exported.{f' {DRAWN}' if self.drawn else ''}"
        )

    @property
    def raw_data(self) -> str:
        """The source, in one sentence."""
        return f"The pages and images of {self.site}: the URLs are in the columns page_url and image_url."

    @property
    def missing(self) -> str:
        """What is missing, in one sentence."""
        stated = self.latest.stated if self.latest else None
        counted = f"The site stated {stated:,} records, the catalog has {self.records:,}. " if stated else ""
        return (
            f"{counted}Pages that failed in the last crawl that requested them: {self.failed:,}. "
            f"Images that were missing or damaged at the time of the export: {len(self.damaged):,}."
        )


def _failures(dataset: Dataset) -> Iterator[tuple[str, str]]:
    return ((page.url, page.failure) for page in dataset.catalog.pages() if page.failure)
