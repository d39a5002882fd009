"""Build galleries: what is made, what is made again, what is left out. Crashes are in commands/test_gallery.py."""

import hashlib
import os
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sample_images import Sample, cover, make_samples, picture

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.lock import Lock
from timecoverspider.exceptions import DatasetError, DatasetLockedError
from timecoverspider.exports.gallery.gallery import Gallery

DAYS = ["1969-07-25", "1969-08-01", "1971-01-04"]


def build(folder: Path) -> Gallery:
    with Dataset(folder) as dataset:
        gallery = Gallery(dataset)
        gallery.build(lambda _: None)
        return gallery


def files(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, modification time and inode of each file of the gallery."""
    root = folder / "gallery"
    found = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in found
    }


def changes(before: dict[str, tuple[bytes, int, int]], after: dict[str, tuple[bytes, int, int]]) -> list[str]:
    """Return what was written and what was deleted: the folders of files, the names of others."""
    names = [f"+{name}" for name in after if after[name] != before.get(name)] + [
        f"-{name}" for name in before.keys() - after
    ]
    return sorted({name.partition("/")[0] for name in names})


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A data set of three covers of two decades, with its gallery."""
    make_samples(tmp_path, [cover(number, day) for number, day in enumerate(DAYS)])
    build(tmp_path)
    return tmp_path


def test_gallery_has_a_page_thumbnails_sheets_averages_and_numbers(small: Path) -> None:
    names = sorted(name.rpartition("/")[0] or name for name in files(small))
    assert names == [
        *["averages"] * 2,
        "hints",
        "index.html",
        "measurements.csv",
        "quality.html",
        *["sheets"] * 2,
        *["strips"] * 2,
        *["thumbnails"] * 3,
    ]
    lines = (small / "gallery" / "measurements.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        [f"full/{n}.jpg", f"Title {n}", day] for n, day in enumerate(DAYS)
    ]


def test_gallery_that_is_built_again_is_the_same_and_nothing_is_written(small: Path) -> None:
    before = files(small)
    assert build(small).left_out == []
    assert files(small) == before


def test_gallery_that_is_built_elsewhere_has_the_same_bytes(
    small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    make_samples(other, [cover(number, day) for number, day in reversed(list(enumerate(DAYS)))])
    build(other)
    assert {name: file[0] for name, file in files(other).items()} == {
        name: file[0] for name, file in files(small).items()
    }


def test_image_that_changes_renews_its_thumbnail_and_its_decade_only(small: Path) -> None:
    before = files(small)
    make_samples(small, [cover(0, DAYS[0], content=picture(9))])
    build(small)
    after = files(small)
    kept = [name for name in before if after.get(name) == before[name]]
    assert sorted(name.partition("/")[0] for name in kept) == [
        "averages",
        "quality.html",
        "sheets",
        "strips",
        "thumbnails",
        "thumbnails",
    ]
    assert changes(before, after) == [
        *("+averages", "+hints", "+index.html", "+measurements.csv", "+sheets", "+strips", "+thumbnails"),
        *("-averages", "-hints", "-sheets", "-strips", "-thumbnails"),
    ]
    assert len(after) == len(before)


def test_image_that_is_added_makes_only_what_is_new(small: Path) -> None:
    before = files(small)
    make_samples(small, [cover(number, day) for number, day in enumerate([*DAYS, "1985-01-07"])])
    build(small)
    after = files(small)
    assert changes(before, after) == [
        "+averages",
        "+hints",
        "+index.html",
        "+measurements.csv",
        "+sheets",
        "+strips",
        "+thumbnails",
        "-hints",
    ]
    assert len(after) == len(before) + 4


def test_title_that_changes_renews_the_page_and_the_numbers_only(small: Path) -> None:
    before = files(small)
    make_samples(small, [cover(0, DAYS[0], "Neil Armstrong")])
    build(small)
    assert changes(before, files(small)) == ["+index.html", "+measurements.csv"]


def test_image_that_is_gone_is_named_and_its_files_are_deleted(small: Path) -> None:
    (small / "full" / "2.jpg").unlink()
    before = files(small)
    [(entry, reason)] = build(small).left_out
    assert entry.image.path == "full/2.jpg"
    assert "missing" in reason
    after = files(small)
    assert changes(before, after) == [
        "+hints",
        "+index.html",
        "+measurements.csv",
        "-averages",
        "-hints",
        "-sheets",
        "-strips",
        "-thumbnails",
    ]
    assert "2 images" in (small / "gallery" / "index.html").read_text()


@pytest.mark.parametrize("content", [b"", b"no image", picture(7), picture(1)[:-20]])
def test_image_that_is_damaged_is_left_out(small: Path, content: bytes) -> None:
    (small / "full" / "1.jpg").write_bytes(content)
    [(entry, _)] = build(small).left_out
    assert entry.image.path == "full/1.jpg"


def spoil(folder: Path) -> None:
    """Replace the content of an image, so that the file looks like the one in the catalog."""
    with Dataset(folder, write=True, archive="live") as dataset:
        dataset.survey()  # gives the files the times of their rows
    file = folder / "full" / "1.jpg"
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_image_that_is_spoilt_and_looks_intact_is_left_out(small: Path) -> None:
    spoil(small)
    shutil.rmtree(small / "gallery" / "thumbnails")
    [(entry, reason)] = build(small).left_out
    assert (entry.image.path, reason) == ("full/1.jpg", "the file is not the one in the catalog")


def test_image_that_is_spoilt_after_its_thumbnail_was_made_is_named_if_it_is_averaged(small: Path) -> None:
    spoil(small)
    before = files(small)
    assert build(small).left_out == []
    assert files(small) == before
    shutil.rmtree(small / "gallery" / "averages")
    with pytest.raises(DatasetError, match=r"full/1\.jpg"):
        build(small)


def test_image_that_was_never_one_is_left_out(small: Path) -> None:
    content = b"not an image"
    with Dataset(small, write=True, archive="live") as dataset:
        image = next(dataset.images())
        (small / image.path).write_bytes(content)
        checksum = hashlib.md5(content).hexdigest()
        dataset.catalog.save(images=[image._replace(checksum=checksum, bytes=len(content))])
    [(entry, reason)] = build(small).left_out
    assert entry.image.path == image.path
    assert "image" in reason


@pytest.mark.parametrize("name", ["thumbnails", "sheets", "strips", "averages"])
def test_folder_that_is_deleted_is_made_again_with_the_same_bytes(small: Path, name: str) -> None:
    before = files(small)
    shutil.rmtree(small / "gallery" / name)
    build(small)
    assert {path: file[0] for path, file in files(small).items()} == {path: file[0] for path, file in before.items()}


@pytest.mark.parametrize("content", [b"", b"garbage", b"timecoverspider-1 40 53 1.0.0 1.0 1.0 1.0;\xff\xd9"])
def test_thumbnail_without_a_valid_comment_is_made_again(small: Path, content: bytes) -> None:
    before = files(small)
    thumbnail = next((small / "gallery" / "thumbnails").iterdir())
    thumbnail.write_bytes(content)
    build(small)
    assert {path: file[0] for path, file in files(small).items()} == {path: file[0] for path, file in before.items()}


@pytest.mark.parametrize("sheets_too", [True, False])
def test_thumbnail_that_is_truncated_is_made_again(small: Path, sheets_too: bool) -> None:
    before = files(small)
    thumbnail = next((small / "gallery" / "thumbnails").iterdir())
    thumbnail.write_bytes(thumbnail.read_bytes()[:400])
    if sheets_too:
        shutil.rmtree(small / "gallery" / "sheets")
    build(small)
    assert {path: file[0] for path, file in files(small).items()} == {path: file[0] for path, file in before.items()}


def test_drafts_of_a_killed_build_are_deleted(small: Path) -> None:
    drafts = small / "gallery" / ".drafts"
    (drafts / "index.html.1").write_bytes(b"<!doc")
    build(small)
    assert not drafts.exists() or not list(drafts.iterdir())


def test_folder_in_the_gallery_that_is_not_its_own_stays(small: Path) -> None:
    (small / "gallery" / "thumbnails" / "@eaDir").mkdir()
    (small / "gallery" / "notes.txt").write_text("mine")
    build(small)
    assert (small / "gallery" / "notes.txt").read_text() == "mine"


def test_gallery_that_is_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    make_samples(tmp_path, [cover(0)])
    (tmp_path / "gallery").write_text("")
    with pytest.raises(DatasetError, match=r"cannot write to .*gallery: "):
        build(tmp_path)


def test_second_build_at_the_same_time_is_refused(small: Path) -> None:
    lock = Lock(small / "gallery" / ".lock")
    with pytest.raises(DatasetLockedError, match="gallery is in use by process"):
        build(small)
    lock.close()
    build(small)


def test_build_needs_no_lock_of_the_data_set(small: Path) -> None:
    with Dataset(small, write=True, archive="live"):
        assert build(small).left_out == []


def test_data_set_without_images_has_no_page_and_an_old_page_stays(small: Path, tmp_path: Path) -> None:
    before = files(small)
    for file in (small / "full").iterdir():
        file.unlink()
    assert len(build(small).left_out) == 3
    assert files(small) == before


def test_image_of_two_records_is_shown_once(tmp_path: Path) -> None:
    make_samples(tmp_path, [cover(0, DAYS[0], path="full/a.jpg"), cover(0, DAYS[1], path="full/a.jpg")])
    build(tmp_path)
    assert len((tmp_path / "gallery" / "measurements.csv").read_text().splitlines()) == 2


def test_two_files_with_the_same_content_share_a_thumbnail(tmp_path: Path) -> None:
    make_samples(tmp_path, [Sample({"title": "Two"}, {"full/a.jpg": picture(1), "full/b.jpg": picture(1)})])
    build(tmp_path)
    assert len((tmp_path / "gallery" / "measurements.csv").read_text().splitlines()) == 3
    assert len(list((tmp_path / "gallery" / "thumbnails").iterdir())) == 1


SHAPES = {
    "landscape": picture(1, (90, 20)),
    "wide": picture(2, (5000, 2)),
    "tall": picture(3, (2, 5000)),
    "tiny": picture(4, (1, 1)),
    "grey": picture(5, mode="L"),
    "cmyk": picture(6, mode="CMYK"),
    "alpha": picture(7, mode="RGBA", kind="PNG"),
    "grey with alpha": picture(8, mode="LA", kind="PNG"),
    "palette": picture(9, mode="P", kind="PNG"),
    "bits": picture(10, mode="1", kind="PNG"),
    "gif": picture(12, mode="P", kind="GIF"),
    "webp": picture(13, kind="WEBP"),
}


def animation(kind: str) -> bytes:
    """Return an image file of two frames, red and blue."""
    file = BytesIO()
    Image.new("RGB", (30, 40), "red").save(
        file, kind, save_all=True, append_images=[Image.new("RGB", (30, 40), "blue")], duration=100
    )
    return file.getvalue()


def deep() -> bytes:
    file = BytesIO()
    Image.new("I;16", (30, 40), 40_000).save(file, "PNG")
    return file.getvalue()


def rotated() -> bytes:
    """Return a JPEG that is 60 pixels wide and 20 high in the file, and is to be shown upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(1, (60, 20), exif=exif.tobytes())


def test_images_of_all_shapes_and_modes_are_shown(tmp_path: Path) -> None:
    contents = {
        **SHAPES,
        "16 bits": deep(),
        "moving gif": animation("GIF"),
        "moving webp": animation("WEBP"),
        "rotated": rotated(),
    }
    samples = [
        cover(number, path=f"full/{name}", content=content) for number, (name, content) in enumerate(contents.items())
    ]
    make_samples(tmp_path, samples)
    assert build(tmp_path).left_out == []
    lines = (tmp_path / "gallery" / "measurements.csv").read_text().splitlines()[1:]
    rows = {line.split(",")[0].removeprefix("full/"): line.split(",") for line in lines}
    assert rows.keys() == contents.keys()
    page = (tmp_path / "gallery" / "index.html").read_text()
    assert "[20,60]" in page  # rotated
    assert "[60,20]" not in page
    assert float(rows["moving gif"][7]) == pytest.approx(76, abs=2)  # the first frame: red
    assert float(rows["moving webp"][7]) == pytest.approx(76, abs=2)


def test_hints_on_quality_have_a_page_until_the_images_are_called_distinct(small: Path) -> None:
    make_samples(small, [cover(3, "1985-01-07", "<b>Twin</b>", content=picture(0))])
    build(small)
    page = small / "gallery" / "quality.html"
    assert "the same file as full/0.jpg" in page.read_text()
    assert "&lt;b&gt;Twin&lt;/b&gt;" in page.read_text()
    assert "index.html#image=full/3.jpg" in page.read_text()
    assert "1 hint on the quality" in (small / "gallery" / "index.html").read_text()
    (small / "distinct.txt").write_text("full/3.jpg full/0.jpg\n")
    build(small)
    assert "There are none." in page.read_text()
    assert "on the quality" not in (small / "gallery" / "index.html").read_text()
