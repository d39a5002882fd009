"""Exports in three formats, read with the standard library and pyarrow. test_readers.py has the other readers."""

import errno
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from items_dataset import covers, croissant, drawing, image_bytes, store_items, tree

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exceptions import DatasetLockedError, ExportError, UsageError
from timecoverspider.exports.formats import imagefolder, parquet, webdataset
from timecoverspider.exports.formats.draft import Draft
from timecoverspider.exports.formats.export import WRITERS, Exported, export

PARQUET = pytest.param("parquet", marks=pytest.mark.slow)  # pyarrow is in requirements-slow.txt
every_format = pytest.mark.parametrize("kind", [PARQUET, *sorted(WRITERS.keys() - {"parquet"})])


def run(folder: Path, kind: str, **more: Any) -> Exported:
    """Export the data set in the folder ``output`` to the folder ``out`` beside it."""
    with Dataset(folder / "output") as dataset:
        return export(dataset, kind, folder / "out", **more)


def parquet_library() -> Any:
    """Return the module that reads Parquet."""
    return pytest.importorskip("pyarrow.parquet", reason="needs tests/requirements-slow.txt")


def exported_images(folder: Path) -> list[tuple[str, bytes]]:
    """Return the MD5 in the row of each image, and the bytes of the image."""
    if (folder / "full").exists():
        lines = map(json.loads, (folder / "metadata.jsonl").read_text().splitlines())
        return [(line["checksum"], (folder / line["file_name"]).read_bytes()) for line in lines]
    tars = sorted((folder / "data").glob("*.tar"))
    if tars:
        return [(json.loads(values)["checksum"], image) for tar in tars for _, image, values in examples(tar)]
    pq = parquet_library()
    tables = [pq.read_table(file) for file in sorted((folder / "data").iterdir())]
    return [(row["checksum"], row["image"]["bytes"]) for table in tables for row in table.to_pylist()]


def examples(file: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield the key, the image and the JSON of each example of a tar file."""
    with tarfile.open(file) as tar:
        while image := tar.next():
            values = tar.next()
            assert values is not None
            key = image.name.removesuffix(".jpg")
            assert (image.name, values.name) == (f"{key}.jpg", f"{key}.json")
            assert "." not in key
            content, fields = tar.extractfile(image), tar.extractfile(values)
            assert content is not None
            assert fields is not None
            yield key, content.read(), fields.read()


@every_format
def test_export_has_the_bytes_of_each_image_in_the_order_of_the_dates(tmp_path: Path, kind: str) -> None:
    store_items(tmp_path / "output", covers(40))
    done = []
    exported = run(tmp_path, kind, begin=done.append, done=lambda: done.append(1))
    rows = exported_images(tmp_path / "out")
    assert dict(rows) == image_bytes(tmp_path / "output")
    assert len(rows) == exported.images == 40
    assert exported.bytes == sum(len(content) for _, content in rows)
    assert done == [40, *[1] * 40]
    with Dataset(tmp_path / "output") as dataset:
        dated = sorted((record.item["pubDate"], record.images[0].checksum) for record in dataset.records())
    assert [checksum for checksum, _ in rows] == [checksum for _, checksum in dated]


@every_format
def test_second_export_has_the_same_bytes_and_version(tmp_path: Path, kind: str) -> None:
    store_items(tmp_path / "output", covers(20), failures={"http://shop.example/9": "HTTP 404"})
    run(tmp_path, kind)
    before = tree(tmp_path / "out")
    shutil.copytree(tmp_path / "output", tmp_path / "elsewhere" / "output")
    run(tmp_path / "elsewhere", kind)
    assert tree(tmp_path / "elsewhere" / "out") == before
    assert run(tmp_path, kind).version == "1.0.0"
    assert tree(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "out", "output"]


@every_format
def test_croissant_has_the_checksum_of_each_file(tmp_path: Path, kind: str) -> None:
    store_items(tmp_path / "output", covers(5))
    run(tmp_path, kind)
    files = [part for part in croissant(tmp_path / "out")["distribution"] if part["@type"] == "cr:FileObject"]
    assert {file["contentUrl"] for file in files} == {
        path for path, content in tree(tmp_path / "out").items() if content and path.endswith(("l", ".tar", "t"))
    } - {"README.md", "croissant.json"} - {".timecoverspider.export"}
    for file in files:
        content = (tmp_path / "out" / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"


def test_imagefolder_has_links_to_the_images_and_their_names(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(3))
    run(tmp_path, "imagefolder")
    for file in (tmp_path / "output" / "full").iterdir():
        assert (tmp_path / "out" / "full" / file.name).samefile(file)


def test_imagefolder_copies_an_image_that_is_a_link(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    [file] = (tmp_path / "output" / "full").iterdir()
    file.rename(tmp_path / "elsewhere.jpg")
    file.symlink_to(tmp_path / "elsewhere.jpg")
    run(tmp_path, "imagefolder")
    [copy] = (tmp_path / "out" / "full").iterdir()
    assert not copy.is_symlink()
    assert copy.read_bytes() == drawing(0)
    assert not copy.samefile(tmp_path / "elsewhere.jpg")


@pytest.mark.parametrize(
    ("images", "digits"), [(1, 0), (9_000, 0), (9_001, 1), (72_000, 1), (72_001, 2), (1_000_000, 2)]
)
def test_imagefolder_has_as_many_subfolders_as_it_needs(images: int, digits: int) -> None:
    assert imagefolder.subfolder_digits(images) == digits


def test_imagefolder_with_many_images_has_them_in_subfolders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagefolder, "_MOST", 10)
    store_items(tmp_path / "output", covers(40))
    run(tmp_path, "imagefolder")
    assert len(dict(exported_images(tmp_path / "out"))) == 40
    folders = list((tmp_path / "out" / "full").iterdir())
    assert len(folders) > 8
    assert max(len(list(folder.iterdir())) for folder in folders) < 10


@pytest.mark.slow
def test_parquet_is_as_readers_want_it(tmp_path: Path) -> None:
    pq = parquet_library()
    items = [{"title": "a", "pubDate": "1923-03-03", "price": 5}, {"title": None, "pubDate": "2014-03-10"}]
    store_items(tmp_path / "output", items)
    run(tmp_path, "parquet")
    file = pq.ParquetFile(tmp_path / "out" / "data" / "train-00000-of-00001.parquet")
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == ["image", "title", "pubDate", "price", "image_url", "page_url", "checksum"]
    assert features["image"] == {"_type": "Image"}
    assert features["pubDate"] == {"dtype": "date32", "_type": "Value"}
    first, second = file.read().to_pylist()
    assert (first["title"], first["pubDate"], first["price"]) == ("a", date(1923, 3, 3), 5)
    assert (second["title"], second["pubDate"], second["price"]) == (None, date(2014, 3, 10), None)
    [name] = {first["image"]["path"]} & {path.name for path in (tmp_path / "output" / "full").iterdir()}
    assert name
    image = file.metadata.row_group(0).column(0)
    assert image.path_in_schema == "image.bytes"
    assert (image.compression, set(image.encodings)) == ("UNCOMPRESSED", {"PLAIN", "RLE"})
    assert image.has_offset_index
    assert file.metadata.row_group(0).column(2).has_column_index


@pytest.mark.slow
def test_parquet_is_split_into_row_groups_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = parquet_library()
    store_items(tmp_path / "output", covers(40))
    size = len(drawing(0))
    monkeypatch.setattr(parquet, "_GROUP", 5 * size)
    monkeypatch.setattr(parquet, "_SHARD", 16 * size)
    run(tmp_path, "parquet")
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [file.name for file in files] == [f"train-{n:05}-of-{len(files):05}.parquet" for n in range(len(files))]
    assert len(files) in (3, 4)
    groups = [pq.read_metadata(file).num_row_groups for file in files]
    assert max(groups) in (3, 4)
    assert sum(groups) in (8, 9, 10)
    assert dict(exported_images(tmp_path / "out")) == image_bytes(tmp_path / "output")


def test_webdataset_has_nothing_of_this_machine_in_it(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(2))
    run(tmp_path, "webdataset")
    with tarfile.open(tmp_path / "out" / "data" / "train-00000.tar") as tar:
        assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in tar} == {
            (0, 0, 0, "", 0o644)
        }
    header = (tmp_path / "out" / "data" / "train-00000.tar").read_bytes()[:512]
    assert header[257:265] == b"ustar\x0000"


def test_webdataset_is_split_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "_SHARD", 30_000)
    store_items(tmp_path / "output", covers(40))
    run(tmp_path, "webdataset")
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [file.name for file in files] == [f"train-{n:05}.tar" for n in range(len(files))]
    assert len(files) > 3
    assert max(file.stat().st_size for file in files) <= 30_000
    assert dict(exported_images(tmp_path / "out")) == image_bytes(tmp_path / "output")


def test_image_of_another_format_is_called_jpg_in_a_tar_file(tmp_path: Path) -> None:
    store_items(tmp_path / "output", [{}], [drawing(1, "PNG")], suffix=".png")
    run(tmp_path, "webdataset")
    [(_, content, _)] = examples(tmp_path / "out" / "data" / "train-00000.tar")
    assert content == drawing(1, "PNG")


@every_format
def test_damaged_images_are_left_out_and_named(tmp_path: Path, kind: str) -> None:
    store_items(tmp_path / "output", covers(6))
    images = sorted((tmp_path / "output" / "full").iterdir())
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:-1])
    images[2].write_bytes(images[2].read_bytes()[:-1] + b"\0")
    images[3].unlink()
    images[3].mkdir()
    exported = run(tmp_path, kind)
    assert exported.images == len(exported_images(tmp_path / "out")) == 2
    assert sorted(damaged.path for damaged in exported.damaged) == [f"full/{image.name}" for image in images[:4]]
    by_path = {damaged.path: damaged for damaged in exported.damaged}
    reasons = [by_path[f"full/{image.name}"].reason for image in images[:4]]
    assert "No such file" in reasons[0]
    assert "bytes instead of" in reasons[1]
    assert "MD5" in reasons[2]
    assert "not a regular file" in reasons[3]
    card = (tmp_path / "out" / "README.md").read_text()
    for damaged in exported.damaged:
        assert f"`{damaged.path}` of `{damaged.page_url}`: `{damaged.reason}`" in card
    assert "damaged at the time of the export: 4." in croissant(tmp_path / "out")["rai:dataCollectionMissingData"]


@every_format
def test_export_without_an_image_is_an_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    store_items(tmp_path / "output", [])
    with pytest.raises(ExportError, match="no images"):
        run(tmp_path, kind)
    store_items(tmp_path / "output", covers(1))
    next((tmp_path / "output" / "full").iterdir()).unlink()
    with pytest.raises(ExportError, match=r"full/.*shop\.example.*No such file"):
        run(tmp_path, kind)
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


@pytest.mark.slow
def test_version_follows_the_changes_of_the_data_set(tmp_path: Path) -> None:
    parquet_library()
    store_items(tmp_path / "output", covers(3))
    versions = [run(tmp_path, "imagefolder").version, run(tmp_path, "parquet").version]
    store_items(tmp_path / "output", [{"title": "new", "pubDate": "2020-01-01"}], [drawing(300)])
    versions.append(run(tmp_path, "parquet").version)
    versions.append(run(tmp_path, "parquet").version)
    next((tmp_path / "output" / "full").iterdir()).unlink()
    versions.append(run(tmp_path, "webdataset").version)
    assert versions == ["1.0.0", "1.0.1", "1.1.0", "1.1.0", "2.0.0"]
    assert croissant(tmp_path / "out")["version"] == "2.0.0"
    assert "| version | 2.0.0 |" in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "full").exists()


@pytest.mark.parametrize("name", ["full/export", "full"])
def test_folder_among_the_images_is_refused(tmp_path: Path, name: str) -> None:
    store_items(tmp_path / "output", covers(1))
    with Dataset(tmp_path / "output") as dataset, pytest.raises(UsageError, match="folder of the images"):
        export(dataset, "imagefolder", tmp_path / "output" / name)


def test_refused_folder_is_not_changed(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError):
        run(tmp_path, "imagefolder")
    assert tree(tmp_path / "out") == {"mine.txt": b"mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


def test_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    run(tmp_path, "imagefolder")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "metadata.jsonl").exists()


def test_second_export_at_the_same_time_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    with Draft(tmp_path / "out") as draft:
        (draft.folder / "file").write_text("x")
        with pytest.raises(DatasetLockedError, match="in use by process"):
            run(tmp_path, "imagefolder")
        assert (draft.folder / "file").exists()
    run(tmp_path, "imagefolder")


@contextmanager
def stopped(draft: Draft) -> Iterator[None]:
    """Have the files of a draft stay as after a kill."""
    yield
    draft._lock.close()


def test_draft_of_a_killed_export_is_cleaned_up(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "out")
    with stopped(draft):
        (draft.folder / "full").mkdir()
        (draft.folder / "full" / "a.jpg").write_text("x")
    store_items(tmp_path / "output", covers(1))
    run(tmp_path, "imagefolder")
    assert "full/a.jpg" not in tree(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


def test_draft_that_was_complete_but_for_its_rename_is_cleaned_up(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    run(tmp_path, "imagefolder")
    (tmp_path / "out").rename(tmp_path / ".out.timecoverspider.draft")
    run(tmp_path, "imagefolder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


@pytest.mark.slow
def test_export_that_was_killed_between_its_two_renames_is_undone(tmp_path: Path) -> None:
    parquet_library()
    store_items(tmp_path / "output", covers(1))
    run(tmp_path, "imagefolder")
    (tmp_path / "out").rename(tmp_path / ".out.timecoverspider.old")
    assert run(tmp_path, "parquet").version == "1.0.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


def test_earlier_export_gets_its_name_back_if_the_new_one_cannot_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_items(tmp_path / "output", covers(1))
    run(tmp_path, "imagefolder")
    before, rename = tree(tmp_path / "out"), Path.rename

    def busy(path: Path, target: Path) -> Path:
        if path.name.endswith(".draft"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(ExportError, match="busy"):
        run(tmp_path, "webdataset")
    assert tree(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


def test_rest_of_a_replaced_export_is_deleted(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    run(tmp_path, "imagefolder")
    shutil.copytree(tmp_path / "out", tmp_path / ".out.timecoverspider.old")
    run(tmp_path, "imagefolder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


def test_folder_of_a_person_with_the_name_of_the_draft_is_refused(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    mine = tmp_path / ".out.timecoverspider.draft" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(UsageError, match="did not write it"):
        run(tmp_path, "imagefolder")
    assert mine.read_text() == "mine"


def test_parent_that_is_a_file_is_one_error(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    (tmp_path / "file").write_text("mine")
    with Dataset(tmp_path / "output") as dataset, pytest.raises(ExportError, match="cannot write"):
        export(dataset, "imagefolder", tmp_path / "file" / "out")
