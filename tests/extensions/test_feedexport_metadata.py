"""Every crawl keeps metadata.jsonl up to date, with or without a feed."""

import os
import shutil
from pathlib import Path

import pytest
from book_site import BookSite
from data_set import feed, image_path, metadata, records
from mock_archive import DAYS, MockArchive
from own_project import OwnProject
from scrapy_command import PROJECT, Done, crawl_arguments, last_line, run_scrapy
from serving import serving
from yarl import URL

from timecoverspider.replica.pages import cover_url, image_url


def crawl_without_feed(folder: Path, archive: MockArchive, *more: str) -> Done:
    arguments = [argument for argument in crawl_arguments(folder) if argument not in ("-o", "output.json")]
    with serving(archive.app) as address:
        return run_scrapy(*arguments, *more, cwd=folder, http_proxy=address)


def metadata_path(folder: Path) -> Path:
    return folder / "output" / "metadata.jsonl"


def test_crawl_writes_a_row_for_each_image_in_the_order_of_the_feed(filled: Path) -> None:
    assert [row["file_name"] for row in metadata(filled)] == [
        file["path"] for record in records(filled) for file in record["files"]
    ]


@pytest.mark.parametrize("content", [None, b"{}\n"])
def test_crawl_without_news_and_without_a_feed_writes_a_file_that_is_missing_or_differs(
    folder: Path, filled: Path, content: bytes | None
) -> None:
    file, expected = metadata_path(folder), metadata_path(filled).read_bytes()
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    done = crawl_without_feed(folder, MockArchive())
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == expected
    assert [aside.read_bytes() for aside in file.parent.glob("metadata.jsonl.kept-*")] == [content] * bool(content)
    assert ("Set aside: output/metadata.jsonl.kept-" in last_line(done)) == bool(content)
    before = file.stat()
    assert crawl_without_feed(folder, MockArchive()).returncode == 0
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_crawl_that_loses_an_image_leaves_out_its_row_and_not_its_record(folder: Path, filled: Path) -> None:
    image_path(folder, DAYS[3]).unlink()
    archive = MockArchive()
    archive.answers[str(URL(image_url(DAYS[3])))] = 404
    done = archive.crawl(folder)
    assert done.returncode == 3
    assert feed(folder) == feed(filled)
    assert {row["pubDate"] for row in metadata(folder)} == {day.isoformat() for day in DAYS} - {DAYS[3].isoformat()}


def test_crawl_that_ends_early_has_the_rows_of_what_it_stored(tmp_path: Path) -> None:
    archive = MockArchive()
    archive.answers[str(URL(cover_url(DAYS[30])))] = 404
    done = archive.crawl(tmp_path, "-s", "CLOSESPIDER_ITEMCOUNT=10")
    assert done.returncode == 3, done.stderr
    assert 10 <= len(records(tmp_path)) < 40
    assert len(metadata(tmp_path)) == len(records(tmp_path))


def test_file_that_cannot_be_written_aborts_the_crawl_and_is_named_and_the_feed_is_written(
    folder: Path, filled: Path
) -> None:
    metadata_path(folder).unlink()
    metadata_path(folder).mkdir()
    (folder / "output.json").unlink()
    done = MockArchive().crawl(folder)
    assert done.returncode == 1
    reason = f"cannot write {metadata_path(folder)}: it is not a regular file"
    assert f"Aborted: {reason}. 40 covers stored, " in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)


def test_feed_whose_exporter_raises_does_not_prevent_the_file(folder: Path, filled: Path) -> None:
    (folder / "exporters.py").write_text(
        "from scrapy.exporters import JsonItemExporter\n"
        "class Broken(JsonItemExporter):\n"
        "    def export_item(self, item):\n"
        "        raise KeyError('a bug')\n"
    )
    metadata_path(folder).unlink()
    path, exporters = os.pathsep.join((str(PROJECT), str(folder))), 'FEED_EXPORTERS={"json": "exporters.Broken"}'
    with serving(MockArchive().app) as address:
        done = run_scrapy(*crawl_arguments(folder), "-s", exporters, cwd=folder, PYTHONPATH=path, http_proxy=address)
    assert done.returncode == 1
    assert "Aborted: cannot write output.json: KeyError: 'a bug'. " in last_line(done)
    assert metadata_path(folder).read_bytes() == metadata_path(filled).read_bytes()


def test_error_that_nobody_expects_aborts_the_crawl_and_names_the_file(folder: Path) -> None:
    (folder / "broken.py").write_text(
        "from timecoverspider.dataset import metadata\n"
        "from timecoverspider.extensions.feedexport import DatasetExporter\n"
        "def fail(*_):\n"
        "    raise RuntimeError('a bug')\n"
        "class Broken(DatasetExporter):\n"
        "    async def close_spider(self, spider):\n"
        "        metadata._encode = fail\n"
        "        await super().close_spider(spider)\n"
    )
    path = os.pathsep.join((str(PROJECT), str(folder)))
    name = "timecoverspider.extensions.feedexport.DatasetExporter"
    extensions = f'EXTENSIONS={{"{name}": null, "broken.Broken": 0, {_other_extensions()}}}'
    with serving(MockArchive().app) as address:
        done = run_scrapy(*crawl_arguments(folder), "-s", extensions, cwd=folder, PYTHONPATH=path, http_proxy=address)
    assert done.returncode == 1
    assert f"Aborted: cannot write {metadata_path(folder)}: RuntimeError: a bug. " in last_line(done)


def _other_extensions() -> str:
    from timecoverspider.settings import EXTENSIONS  # noqa: PLC0415

    others = {name: order for name, order in EXTENSIONS.items() if not name.endswith(".DatasetExporter")}
    return ", ".join(f'"{name}": {"null" if order is None else order}' for name, order in others.items())


def test_data_set_of_another_spider_has_its_own_file(tmp_path: Path) -> None:
    project = OwnProject(tmp_path)
    done = project.crawl("books", BookSite(3))
    assert done.returncode == 0, done.stderr
    shutil.move(tmp_path / "output" / "books", tmp_path / "books" / "output")
    rows = metadata(tmp_path / "books")
    assert sorted(row["title"] for row in rows) == [f"Book number {number}" for number in (1, 2, 3)]
    assert [list(row) for row in rows] == [["file_name", "title", "price", "category", "url", "checksum"]] * 3
