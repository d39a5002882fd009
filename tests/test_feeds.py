"""The feed: the whole data set, or what was there before."""

import json
import shutil
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import web
from conftest import DAYS, ROBOTS, Site, closing, crawl_arguments, feed, records, run_scrapy, serving
from yarl import URL

from timecoverspider.dataset import feed_file
from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import FeedFile
from timecoverspider.replica.pages import listing_url


@pytest.mark.parametrize("name", ["covers.jsonl", "covers.csv", "covers.xml", "covers.jl"])
def test_every_feed_format_holds_the_whole_data_set(folder: Path, name: str) -> None:
    for _ in range(2):
        assert Site(DAYS).crawl(folder, feed=name).returncode == 0
        match Path(name).suffix:
            case ".jsonl" | ".jl":
                found = [json.loads(line) for line in feed(folder, name).splitlines()]
                assert found == records(folder)
            case ".csv":
                assert feed(folder, name).decode().splitlines()[0] == "title,pubDate,file_urls,files"
                assert len(feed(folder, name).splitlines()) == 41
            case ".xml":
                assert len(ElementTree.fromstring(feed(folder, name))) == 40


def test_feeds_of_the_settings_and_of_stdout_hold_the_whole_data_set(folder: Path) -> None:
    feeds = json.dumps({str(folder / "all.json"): {"format": "json"}, "stdout:": {"format": "jsonlines"}})
    arguments = [argument for argument in crawl_arguments(folder) if argument not in ("-o", "output.json")]
    with serving(Site(DAYS).app) as address:
        done = run_scrapy(*arguments, "-s", f"FEEDS={feeds}", cwd=folder, http_proxy=address)
    assert done.returncode == 0, done.stderr
    assert json.loads(feed(folder, "all.json")) == records(folder)
    assert [json.loads(line) for line in done.stdout.splitlines()] == records(folder)


def test_overwrite_means_the_same(folder: Path, filled: Path) -> None:
    with serving(Site(DAYS).app) as address:
        arguments = [
            argument.replace("-o", "-O") if argument == "-o" else argument for argument in crawl_arguments(folder)
        ]
        assert run_scrapy(*arguments, cwd=folder, http_proxy=address).returncode == 0
    assert feed(folder) == feed(filled)


def test_feed_is_newest_first(folder: Path) -> None:
    assert [record["pubDate"] for record in records(folder)] == [day.isoformat() for day in DAYS]


@pytest.mark.parametrize(
    "content", [b"My notes\n", b'{"a": 1}', b"[1, 2]", b"[{}][{}]", b"\xff\xfe", b'[{"title": "cut']
)
def test_a_file_that_is_no_list_of_records_is_kept(folder: Path, filled: Path, content: bytes) -> None:
    (folder / "output.json").write_bytes(content)
    done = Site(DAYS).crawl(folder)
    assert done.returncode == 0, done.stderr
    [kept] = folder.glob("output.json.kept-*")
    assert kept.read_bytes() == content
    assert kept.name in done.stderr
    assert feed(folder) == feed(filled)


def test_a_feed_that_a_person_changed_is_kept(folder: Path, filled: Path) -> None:
    changed = feed(folder).replace(b"Code Red", b"Code Blue")
    (folder / "output.json").write_bytes(changed)
    assert Site(DAYS).crawl(folder).returncode == 0
    [kept] = folder.glob("output.json.kept-*")
    assert kept.read_bytes() == changed
    assert feed(folder) == feed(filled)


def test_after_the_catalog_was_deleted_the_same_feed_is_known_and_another_is_kept(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    assert Site(DAYS).crawl(folder).returncode == 0
    assert not list(folder.glob("output.json.kept-*"))
    (folder / "output" / "catalog.db").unlink()
    assert Site(DAYS[1:]).crawl(folder).returncode == 0
    [kept] = folder.glob("output.json.kept-*")
    assert kept.read_bytes() == feed(filled)
    assert len(records(folder)) == 39


def test_the_feed_of_another_data_set_is_refused_before_anything_is_requested(folder: Path, filled: Path) -> None:
    site, before = Site(DAYS), feed(folder)
    done = site.crawl(folder, "-s", f"FILES_STORE={folder / 'other'}")
    assert done.returncode == 2
    assert f"output.json is the feed of the data set in {folder / 'output'}" in closing(done)
    assert "Traceback" not in done.stderr
    assert not site.asked
    assert feed(folder) == before
    shutil.rmtree(folder / "output")  # then it is nobody's
    done = site.crawl(folder, "-s", f"FILES_STORE={folder / 'other'}")
    assert done.returncode == 0, done.stderr
    assert Site(DAYS).crawl(folder, "-s", f"FILES_STORE={folder / 'other'}").returncode == 0


def test_a_project_that_was_copied_goes_on_with_its_own_feed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    assert Site(DAYS).crawl(copy).returncode == 0
    assert not list(copy.glob("*.kept-*"))


class Killed(BaseException):
    """As kill -9 does, it leaves no time for anything."""


@pytest.mark.parametrize("instant", ["replace", "flush_folder", "forget_feeds"])
def test_a_kill_while_a_feed_gets_its_name_makes_it_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instant: str
) -> None:
    def publish(content: bytes) -> str:
        draft = file.open()
        draft.write(content)
        return file.publish(draft, 1, complete=True)

    def kill(*_: object) -> None:
        raise Killed

    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        file = FeedFile(tmp_path / "output.json", dataset)
        assert publish(b"[1]") == ""
        with monkeypatch.context() as patch:
            place = {"replace": Path, "flush_folder": feed_file, "forget_feeds": dataset.catalog}[instant]
            patch.setattr(place, instant, kill)
            with pytest.raises(Killed):
                publish(b"[2]")
        assert publish(b"[3]") == ""
        assert (tmp_path / "output.json").read_bytes() == b"[3]"
        assert not list(tmp_path.glob("*.kept-*"))
        assert [known.records for known in dataset.feeds()] == [1]


@pytest.mark.parametrize("complete", [True, False])
def test_a_poorer_feed_replaces_a_richer_one_only_if_the_crawl_was_complete(tmp_path: Path, complete: bool) -> None:
    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        file = FeedFile(tmp_path / "output.json", dataset)
        for content, count in ((b"[1, 2]", 2), (b"[1]", 1)):
            draft = file.open()
            draft.write(content)
            said = file.publish(draft, count, complete=complete)
        assert (said == "") == complete
        assert (tmp_path / "output.json").read_bytes() == (b"[1]" if complete else b"[1, 2]")
        assert not list(tmp_path.glob(".output.json.*"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("covers.csv", b"name,age\nAda,36\n"), ("covers.xml", b"<notes><a/></notes>"), ("covers.jsonl", b"x")],
)
def test_other_formats_are_kept_where_they_are_not_ours(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert Site(DAYS).crawl(folder, feed=name).returncode == 0
    [kept] = folder.glob(f"{name}.kept-*")
    assert kept.read_bytes() == content


def test_a_feed_of_some_fields_is_known_again(tmp_path: Path) -> None:
    for days in (DAYS[1:], DAYS):
        done = Site(days).crawl(tmp_path, "-s", "FEED_EXPORT_FIELDS=pubDate,title", feed="covers.csv")
        assert done.returncode == 0, done.stderr
        assert len(feed(tmp_path, "covers.csv").splitlines()) == len(days) + 1
    assert not list(tmp_path.glob("covers.csv.kept-*"))


def test_stale_drafts_are_cleaned_away(folder: Path) -> None:
    (folder / ".output.json.4711.tmp").write_text("half")
    (folder / "output" / ".incoming").mkdir(exist_ok=True)
    (folder / "output" / ".incoming" / "half.jpg").write_text("half")
    assert Site(DAYS).crawl(folder).returncode == 0
    assert not list(folder.glob(".output*"))
    assert not list((folder / "output" / ".incoming").iterdir())


def test_an_unfinished_rebuild_sets_the_richer_feed_aside(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    site = Site(DAYS)
    site.instead[str(URL(listing_url(offset=15)))] = 404
    done = site.crawl(folder)
    assert done.returncode == 4
    assert len(records(folder)) == 15
    [kept] = folder.glob("output.json.kept-*")
    assert kept.read_bytes() == feed(filled)
    assert f"It is kept as {kept.name}." in done.stderr


def test_an_unwritable_feed_is_not_success(folder: Path) -> None:
    (folder / "wall").write_text("")
    done = Site(DAYS).crawl(folder, feed="wall/output.json")
    assert done.returncode == 1
    assert "cannot write wall/output.json: " in closing(done)


def test_a_catalog_that_fails_in_the_end_is_not_success(folder: Path) -> None:
    site, before = Site(DAYS), feed(folder)

    async def hurt(request: web.Request) -> web.StreamResponse:
        connection = sqlite3.connect(folder / "output" / "catalog.db")
        connection.execute("ALTER TABLE records RENAME TO gone")
        connection.close()
        return web.Response(status=404)

    site.instead[ROBOTS] = hurt
    done = site.crawl(folder)
    assert done.returncode == 1
    assert "Broken off, cannot use the catalog" in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before
