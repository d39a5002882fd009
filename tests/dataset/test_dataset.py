"""A data set opened to read and to write."""

import gc
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from data_set import image_path, records
from mock_archive import DAYS
from sample_dataset import TIME, record, save

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Feed, Page
from timecoverspider.exceptions import CatalogError, DatasetError, DatasetLockedError
from timecoverspider.replica.pages import cover_url


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_reading_takes_no_lock_and_changes_nothing(small_folder: Path) -> None:
    (small_folder / "output" / ".incoming").mkdir(exist_ok=True)
    (small_folder / "output" / ".incoming" / "draft").write_text("half")
    before = snapshot(small_folder)
    with Dataset(small_folder / "output") as dataset, Dataset(small_folder / "output"):
        assert [record.item for record in dataset.records()] == records(small_folder)
        assert [record.page_url for record in dataset.records()] == [cover_url(day) for day in DAYS[:3]]
        assert all((dataset.folder / image.path).stat().st_size == image.bytes for image in dataset.images())
    assert snapshot(small_folder) == before


def test_feeds_and_crawls_are_those_of_the_catalog(small_folder: Path) -> None:
    feed = Feed("/output.json", "1" * 64, 3, TIME)
    with Dataset(small_folder / "output", write=True, archive="live") as dataset:
        dataset.catalog.save_feed(feed)
        dataset.catalog.begin_crawl("covers", "live")
        assert dataset.feeds() == [feed]
        assert [crawl.spider for crawl in dataset.crawls()] == ["covers"]


def test_reading_without_a_catalog_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"/output/catalog\.db"):
        Dataset(tmp_path / "output")
    assert not list(tmp_path.iterdir())


def test_writing_makes_the_folder(tmp_path: Path) -> None:
    with Dataset(tmp_path / "new" / "output", write=True, archive="live") as dataset:
        assert (list(dataset.records()), dataset.corrupt_catalog) == ([], None)
    with Dataset(tmp_path / "new" / "output") as dataset:
        assert dataset.catalog.count() == 0


def test_second_writer_is_refused_and_readers_are_not(small_folder: Path) -> None:
    with Dataset(small_folder / "output", write=True, archive="live"):
        with pytest.raises(DatasetLockedError, match=f"process {os.getpid()}"):
            Dataset(small_folder / "output", write=True, archive="live")
        with Dataset(small_folder / "output") as reader:
            assert reader.catalog.count() == 3
    Dataset(small_folder / "output", write=True, archive="live").close()


def test_dataset_that_is_closed_holds_no_lock(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "output", write=True, archive="live")
    dataset.close()
    Dataset(dataset.folder, write=True, archive="live").close()


def test_dataset_that_is_forgotten_holds_no_lock(tmp_path: Path) -> None:
    Dataset(tmp_path / "output", write=True, archive="live")  # as by a crawl that could not start
    gc.collect()
    Dataset(tmp_path / "output", write=True, archive="live").close()


def test_writer_that_cannot_open_the_catalog_holds_no_lock(tmp_path: Path) -> None:
    with pytest.raises(CatalogError):
        Dataset(tmp_path / "output", "sqlite:////no/such/folder/catalog.db", write=True, archive="live")
    Dataset(tmp_path / "output", write=True, archive="live").close()


def test_writing_for_another_archive_is_refused(small_folder: Path) -> None:
    with pytest.raises(DatasetError, match="ARCHIVE=live"):
        Dataset(small_folder / "output", write=True, archive="replica")
    with Dataset(small_folder / "output") as dataset:
        assert dataset.catalog.count() == 3


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("")
    with pytest.raises(DatasetError, match=str(tmp_path / "output")):
        Dataset(tmp_path / "output", write=True, archive="live")


def test_writing_deletes_the_drafts_of_an_interrupted_crawl(small_folder: Path) -> None:
    drafts = small_folder / "output" / ".incoming"
    drafts.mkdir(exist_ok=True)
    (drafts / "half.jpg").write_text("half")
    Dataset(small_folder / "output", write=True, archive="live").close()
    assert not list(drafts.iterdir())
    assert len(list((small_folder / "output" / "full").iterdir())) == 3


def corrupt(catalog: Path) -> bytes:
    content = catalog.read_bytes()[:5000] + b"\xff" * 3000
    catalog.write_bytes(content)
    return content


def test_corrupt_catalog_is_set_aside_when_written(small_folder: Path) -> None:
    content = corrupt(small_folder / "output" / "catalog.db")
    with Dataset(small_folder / "output", write=True, archive="live") as dataset:
        assert dataset.corrupt_catalog is not None
        assert dataset.corrupt_catalog.read_bytes() == content
        assert dataset.catalog.count() == 0


def test_corrupt_catalog_is_refused_when_read(small_folder: Path) -> None:
    content = corrupt(small_folder / "output" / "catalog.db")
    with pytest.raises(DatasetError):
        Dataset(small_folder / "output")
    assert (small_folder / "output" / "catalog.db").read_bytes() == content


def test_corrupt_catalog_at_a_url_is_never_set_aside(small_folder: Path) -> None:
    catalog = small_folder / "output" / "catalog.db"
    content = corrupt(catalog)
    with pytest.raises(DatasetError):
        Dataset(small_folder / "output", f"sqlite:///{catalog}", write=True, archive="live")
    assert catalog.read_bytes() == content
    assert not list(catalog.parent.glob("catalog.db.*"))


def test_locked_catalog_is_not_taken_for_a_corrupt_one(small_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, catalog = sqlite3.connect, small_folder / "output" / "catalog.db"
    with closing(connect(catalog, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", lambda place, *_, **options: connect(place, 0.01, **options))
        with pytest.raises(CatalogError):
            Dataset(small_folder / "output", write=True, archive="live")
    assert not list(catalog.parent.glob("catalog.db.corrupt-*"))


def test_catalog_at_a_url_is_used_in_place_of_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    with Dataset(tmp_path / "output", url, write=True, archive="live") as dataset:
        save(dataset.catalog, record("p"))
    assert not (tmp_path / "output" / "catalog.db").exists()
    with Dataset(tmp_path / "output", url) as dataset:
        assert dataset.catalog.count() == 1


@pytest.mark.parametrize("damage", ["deleted", "cut", "longer", "replaced"])
def test_image_of_another_size_is_damaged_and_its_record_not_complete(small_folder: Path, damage: str) -> None:
    file = image_path(small_folder, DAYS[1])
    match damage:
        case "deleted":
            file.unlink()
        case "cut":
            file.write_bytes(file.read_bytes()[:-1])
        case "longer":
            file.write_bytes(file.read_bytes() + b"x")
        case "replaced":
            file.write_bytes(image_path(small_folder, DAYS[2]).read_bytes())
    with Dataset(small_folder / "output") as dataset:
        survey = dataset.survey()
        assert [image.path for image in survey.damaged] == [f"full/{file.name}"]
        assert survey.pages_with(survey.damaged[0]) == [cover_url(DAYS[1])]
        assert (survey.records, survey.complete) == (3, 2)
        complete = [record.page_url for record in dataset.complete_records(survey)]
        assert complete == [cover_url(DAYS[0]), cover_url(DAYS[2])]


def test_record_with_one_of_two_images_is_not_complete(small_folder: Path) -> None:
    (small_folder / "output" / "full" / "i.jpg").write_bytes(b"12345")  # as long as the catalog says
    with Dataset(small_folder / "output", write=True, archive="live") as dataset:
        save(dataset.catalog, record("p", urls=("i", "j")))
        survey = dataset.survey()
        assert (survey.records, survey.complete) == (4, 3)
        assert "p" not in [record.page_url for record in dataset.complete_records(survey)]


def test_image_named_as_damaged_is_damaged_whatever_its_size(small_folder: Path) -> None:
    path = f"full/{image_path(small_folder, DAYS[1]).name}"
    with Dataset(small_folder / "output") as dataset:
        assert [image.path for image in dataset.survey([path]).damaged] == [path]
        assert dataset.survey().damaged == []


def test_survey_tells_pages_of_one_stored_record_from_other_pages_with_records(small_folder: Path) -> None:
    first, second, third = (cover_url(day) for day in DAYS[:3])
    pages = [Page(first, 1, 0, TIME), Page(second, 1, 3, TIME), Page(third, 2, 0, TIME), Page("gone", 1, 0, TIME)]
    with Dataset(small_folder / "output", write=True, archive="live") as dataset:
        dataset.catalog.save(pages=pages)
        survey = dataset.survey()
        assert survey.pages == {first: TIME}
        assert set(survey.others) == {second, third}
