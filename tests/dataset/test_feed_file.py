"""A feed is replaced in one step if this data set wrote it, and any other file is set aside."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from timecoverspider.dataset import feed_file
from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import Draft, FeedFile
from timecoverspider.dataset.files import sha256
from timecoverspider.exceptions import FeedError, UsageError


class Killed(BaseException):
    """As kill -9 does, it leaves no time for anything."""


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        yield dataset


@pytest.fixture
def feed(tmp_path: Path, dataset: Dataset) -> FeedFile:
    return FeedFile(tmp_path / "output.json", dataset)


def publish(feed: FeedFile, content: bytes, records: int = 1, *, complete: bool = True) -> str:
    draft = feed.open()
    draft.write(content)
    return feed.publish(draft, records, complete=complete)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"output", ".timecoverspider.output.json"}


def test_feed_that_this_data_set_wrote_is_replaced(tmp_path: Path, feed: FeedFile, dataset: Dataset) -> None:
    for content in (b"[1]", b"[2]"):
        assert publish(feed, content) == ""
        assert (tmp_path / "output.json").read_bytes() == content
    assert names(tmp_path) == {"output.json"}
    assert len(dataset.feeds()) == 1


def test_feed_without_a_change_is_not_touched(tmp_path: Path, feed: FeedFile) -> None:
    publish(feed, b"[1]")
    before = (tmp_path / "output.json").stat()
    assert publish(feed, b"[1]") == ""
    assert (tmp_path / "output.json").stat().st_ino == before.st_ino
    assert names(tmp_path) == {"output.json"}


@pytest.mark.parametrize(
    "content", [b"My notes\n", b'{"a": 1}', b"[1, 2]", b"[{}][{}]", b"\xff\xfe", b'[{"title": "cut', b""]
)
def test_file_of_somebody_else_is_set_aside(tmp_path: Path, feed: FeedFile, content: bytes) -> None:
    (tmp_path / "output.json").write_bytes(content)
    said = publish(feed, b"[1]")
    [aside] = tmp_path.glob("output.json.kept-*")
    assert aside.name in said
    assert aside.read_bytes() == content
    assert (tmp_path / "output.json").read_bytes() == b"[1]"
    assert publish(feed, b"[2]") == ""
    assert len(list(tmp_path.glob("*.kept-*"))) == 1


@pytest.mark.parametrize("name", ["covers.csv", "covers.xml", "covers.jsonl"])
def test_file_of_any_format_is_set_aside(tmp_path: Path, dataset: Dataset, name: str) -> None:
    (tmp_path / name).write_bytes(b"name,age\nAda,36\n")
    assert publish(FeedFile(tmp_path / name, dataset), b"title\nCode Red\n")
    [aside] = tmp_path.glob(f"{name}.kept-*")
    assert aside.read_bytes() == b"name,age\nAda,36\n"


def test_feed_that_a_person_changed_is_set_aside(tmp_path: Path, feed: FeedFile) -> None:
    publish(feed, b"[1]")
    (tmp_path / "output.json").write_bytes(b"[1, 2]")
    assert publish(feed, b"[1]")
    [aside] = tmp_path.glob("output.json.kept-*")
    assert aside.read_bytes() == b"[1, 2]"
    assert (tmp_path / "output.json").read_bytes() == b"[1]"


def test_feed_is_known_again_after_the_catalog_was_deleted_if_it_is_the_same(tmp_path: Path) -> None:
    for contents in ((b"[1]",), (b"[1]", b"[2]")):
        (tmp_path / "output" / "catalog.db").unlink(missing_ok=True)
        with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
            for content in contents:
                assert publish(FeedFile(tmp_path / "output.json", dataset), content) == ""
    assert names(tmp_path) == {"output.json"}


def test_feed_is_set_aside_after_the_catalog_was_deleted_if_it_differs(tmp_path: Path) -> None:
    for content in (b"[1]", b"[2]"):
        (tmp_path / "output" / "catalog.db").unlink(missing_ok=True)
        with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
            said = publish(FeedFile(tmp_path / "output.json", dataset), content)
    [aside] = tmp_path.glob("output.json.kept-*")
    assert aside.name in said
    assert aside.read_bytes() == b"[1]"


@pytest.mark.parametrize("complete", [True, False])
def test_feed_with_fewer_records_replaces_it_only_after_a_complete_crawl(
    tmp_path: Path, feed: FeedFile, complete: bool
) -> None:
    publish(feed, b"[1, 2]", 2)
    said = publish(feed, b"[1]", 1, complete=complete)
    assert (said == "") == complete
    assert (tmp_path / "output.json").read_bytes() == (b"[1]" if complete else b"[1, 2]")
    assert names(tmp_path) == {"output.json"}


def test_feed_with_as_many_records_is_replaced_after_an_incomplete_crawl(tmp_path: Path, feed: FeedFile) -> None:
    publish(feed, b"[1]", 1)
    assert publish(feed, b"[2]", 1, complete=False) == ""
    assert (tmp_path / "output.json").read_bytes() == b"[2]"


@pytest.mark.parametrize("instant", ["replace", "flush_folder", "forget_feeds"])
def test_feed_is_known_again_after_a_kill_while_it_was_replaced(
    tmp_path: Path, feed: FeedFile, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, instant: str
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    publish(feed, b"[1]")
    with monkeypatch.context() as patch:
        place = {"replace": Path, "flush_folder": feed_file, "forget_feeds": dataset.catalog}[instant]
        patch.setattr(place, instant, kill)
        with pytest.raises(Killed):
            publish(feed, b"[2]")
    assert (tmp_path / "output.json").read_bytes() in (b"[1]", b"[2]")
    assert publish(feed, b"[3]") == ""
    assert (tmp_path / "output.json").read_bytes() == b"[3]"
    assert names(tmp_path) == {"output.json"}
    assert [known.records for known in dataset.feeds()] == [1]


def test_draft_of_an_interrupted_crawl_is_deleted_and_no_other_file(tmp_path: Path, feed: FeedFile) -> None:
    for name in (".output.json.4711.tmp", ".covers.json.4711.tmp", "output.json.4711.tmp"):
        (tmp_path / name).write_text("half")
    publish(feed, b"[1]")
    assert names(tmp_path) == {"output.json", ".covers.json.4711.tmp", "output.json.4711.tmp"}


def test_feed_at_a_symbolic_link_replaces_what_the_link_points_to(tmp_path: Path, dataset: Dataset) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "output.json")
    publish(FeedFile(tmp_path / "link.json", dataset), b"[1]")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real" / "output.json").read_bytes() == b"[1]"


def test_feed_in_a_folder_that_is_none_is_refused_when_it_is_published(tmp_path: Path, dataset: Dataset) -> None:
    (tmp_path / "wall").write_text("")
    feed = FeedFile(tmp_path / "wall" / "output.json", dataset)
    draft = feed.open()
    draft.write(b"[1]")
    with pytest.raises(FeedError):
        feed.publish(draft, 1, complete=True)
    assert dataset.feeds() == []


def test_feed_whose_draft_could_not_be_written_stays_as_it_was(tmp_path: Path, feed: FeedFile) -> None:
    class FullDisk:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

    publish(feed, b"[1]")
    draft = feed.open()
    file, draft._file = draft._file, FullDisk()  # type: ignore[assignment]
    assert draft.write(b"[2]") == 3  # Scrapy's exporter goes on
    draft._file = file
    with pytest.raises(FeedError, match="No space left"):
        feed.publish(draft, 1, complete=True)
    assert (tmp_path / "output.json").read_bytes() == b"[1]"
    assert names(tmp_path) == {"output.json"}


def test_draft_knows_the_sha256_of_its_file(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "new" / "draft")
    for content in (b"[", b"]"):
        draft.write(content)
    draft.finish()
    assert draft.sha256 == sha256(tmp_path / "new" / "draft")


def other_data_set(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path / "other", write=True, archive="live")


def test_feed_of_another_data_set_is_refused(tmp_path: Path, feed: FeedFile) -> None:
    publish(feed, b"[1]")
    feed.check()
    with other_data_set(tmp_path) as other, pytest.raises(UsageError, match=str(tmp_path / "output")):
        FeedFile(tmp_path / "output.json", other).check()


@pytest.mark.parametrize("change", ["feed changed", "feed gone", "data set gone", "owner unreadable"])
def test_feed_that_is_no_other_data_sets_any_more_is_not_refused(tmp_path: Path, change: str) -> None:
    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        publish(FeedFile(tmp_path / "output.json", dataset), b"[1]")
    match change:
        case "feed changed":
            (tmp_path / "output.json").write_bytes(b"[2]")
        case "feed gone":
            (tmp_path / "output.json").unlink()
        case "data set gone":
            shutil.rmtree(tmp_path / "output")
        case "owner unreadable":
            (tmp_path / ".timecoverspider.output.json").write_text("[")
    with other_data_set(tmp_path) as other:
        FeedFile(tmp_path / "output.json", other).check()


def test_feed_that_was_copied_with_its_data_set_is_its_own(tmp_path: Path) -> None:
    with Dataset(tmp_path / "a" / "output", write=True, archive="live") as dataset:
        publish(FeedFile(tmp_path / "a" / "output.json", dataset), b"[1]")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Dataset(tmp_path / "b" / "output", write=True, archive="live") as dataset:
        feed = FeedFile(tmp_path / "b" / "output.json", dataset)
        feed.check()
        assert publish(feed, b"[1]") == ""
    assert not list((tmp_path / "b").glob("*.kept-*"))
