"""Read catalogs of earlier versions, and migrate them to the current version."""

from collections.abc import Callable, Iterator

from timecoverspider.dataset.database import Database, Transaction
from timecoverspider.dataset.rows import Fields, Image, Page, Record
from timecoverspider.dataset.tables import TABLES, VERSION, save_facts, save_images, save_pages, save_record

# Version 1 supported only this spider, and did not store its name and fields.
FIELDS_1 = Fields(key=("pubDate", "file_urls"), order="pubDate", title="title", date="pubDate")
SPIDER_1 = "pyimagesearch-cover-spider"

_AT_A_TIME = 1000  # rows
_COVER = "page_url, title, pub_date, image_url, path, checksum, width, height, bytes, etag, first_seen, last_checked"
_BY_PAGE = f"SELECT {_COVER} FROM covers WHERE page_url > ? ORDER BY page_url LIMIT {_AT_A_TIME}"  # noqa: S608
_NEWEST_FIRST = 'SELECT page_url FROM covers ORDER BY pub_date DESC, image_url COLLATE "C", page_url'


def record_of_version_1(row: tuple[str, ...]) -> Record:
    """Convert a row of the table ``covers`` of version 1 to a record."""
    page_url, title, pub_date, url, path, checksum, width, height, size, etag, first_seen, last_checked = row
    item = {
        "title": title,
        "pubDate": pub_date,
        "file_urls": [url],
        "files": [{"url": url, "path": path, "checksum": checksum}],
    }
    image = Image(path, url, checksum, int(width), int(height), int(size), etag, "", first_seen, last_checked, "")
    return Record(FIELDS_1.key_of(item), item, page_url, first_seen, last_checked, (image,))


def records_of_version_1(database: Database) -> Iterator[Record]:
    """Yield the covers of version 1 as records, newest first; no lock is held between two records."""
    urls = [url for (url,) in database.stream(_NEWEST_FIRST)]
    for start in range(0, len(urls), _AT_A_TIME):
        some = urls[start : start + _AT_A_TIME]
        query = f"SELECT {_COVER} FROM covers WHERE page_url IN ({', '.join('?' * len(some))})"  # noqa: S608
        with database.transaction() as transaction:
            rows = {row[0]: row for row in transaction.execute(query, some)}
        yield from (record_of_version_1(rows[url]) for url in some if url in rows)


def migrate(transaction: Transaction, version: int) -> None:
    """Migrate a catalog to the current version in one transaction, so that a kill leaves the old version."""
    for step in range(version, VERSION):
        _STEPS[step](transaction)
        transaction.execute("UPDATE timecoverspider SET schema_version = ?", [step + 1])


def _from_1_to_2(transaction: Transaction) -> None:
    for name in TABLES.keys() - {"timecoverspider", "crawls", "page_requests"}:
        transaction.execute(TABLES[name])
    transaction.execute("ALTER TABLE crawls RENAME COLUMN whole_walk TO complete_walk")
    transaction.execute(f"ALTER TABLE crawls ADD COLUMN spider TEXT NOT NULL DEFAULT '{SPIDER_1}'")
    for name in ("since", "until", "cut_by"):
        transaction.execute(f"ALTER TABLE crawls ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
    transaction.execute("ALTER TABLE crawls ADD COLUMN stated INTEGER")
    save_facts(transaction, {"spider": SPIDER_1, **FIELDS_1.to_facts()})
    for records in _batches(transaction):
        save_images(transaction, [image for record in records for image in record.images])
        save_pages(transaction, [Page(record.page_url, 1, 0, record.last_checked) for record in records])
        for record in records:
            save_record(transaction, record, FIELDS_1, 0)
    transaction.execute("DROP TABLE covers")


def _batches(transaction: Transaction) -> Iterator[list[Record]]:
    last = ""
    while rows := transaction.execute(_BY_PAGE, [last]):
        yield [record_of_version_1(row) for row in rows]
        last = rows[-1][0]


def _from_2_to_3(transaction: Transaction) -> None:
    transaction.execute(TABLES["page_requests"])


_STEPS: dict[int, Callable[[Transaction], None]] = {1: _from_1_to_2, 2: _from_2_to_3}
