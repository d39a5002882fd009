"""What is here, and what becomes of it: pictures, the catalog, and the folder that they are in."""

import hashlib
import json
import re
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from conftest import DAYS, SPIDER, Site, closing, feed, picture, records, rows, run_scrapy

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url


def test_catalog_has_a_row_for_each_cover_and_crawl(folder: Path) -> None:
    file = picture(folder, DAYS[0])
    content, path = file.read_bytes(), f"full/{file.name}"
    [row] = rows(folder, f"SELECT * FROM images WHERE path = '{path}'")
    assert row[1:6] == (image_url(DAYS[0]), hashlib.md5(content).hexdigest(), 600, 790, len(content))
    assert row[7] == "Mon, 10 Mar 2014 00:00:00 GMT"
    assert datetime.fromisoformat(row[8]).timestamp() == pytest.approx(file.stat().st_mtime)  # when it was stored
    [row] = rows(folder, f"SELECT * FROM records WHERE page_url = '{cover_url(DAYS[0])}'")
    assert json.loads(row[1]) == ["2014-03-10", [image_url(DAYS[0])]]
    assert json.loads(row[2]) == records(folder)[0]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", time) for time in row[6:8])
    assert rows(folder, "SELECT count(*), sum(records), sum(requests) FROM pages") == [(44, 40, 43)]
    Site(DAYS).crawl(folder)
    found = rows(folder, "SELECT outcome, complete_walk, known, new, failed, requests FROM crawls ORDER BY id")
    assert found == [("complete", 1, 0, 40, 0, 87), ("complete", 0, 40, 0, 0, 3)]


@pytest.mark.parametrize("damage", ["deleted", "cut", "swapped"])
def test_a_damaged_picture_is_fetched_again_alone(folder: Path, filled: Path, damage: str) -> None:
    hurt = {picture(folder, DAYS[20]): DAYS[20]}
    match damage:
        case "deleted":
            picture(folder, DAYS[20]).unlink()
        case "cut":
            picture(folder, DAYS[20]).write_bytes(picture(folder, DAYS[20]).read_bytes()[:5000])
        case "swapped":
            one, other = picture(folder, DAYS[20]), picture(folder, DAYS[21])
            hurt[other] = DAYS[21]
            content = one.read_bytes()
            one.write_bytes(other.read_bytes())
            other.write_bytes(content)
    site = Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("img.timeinc.net")) == sorted(map(image_url, hurt.values()))
    assert not site.asked_of("content.time.com")
    for path, day in hurt.items():
        assert path.read_bytes() == draw_cover(day, 600)
    assert feed(folder) == feed(filled)


def test_deleted_feed_comes_back_for_three_requests(folder: Path, filled: Path) -> None:
    (folder / "output.json").unlink()
    site = Site(DAYS)
    assert site.crawl(folder).returncode == 0
    assert len(site.asked) == 3
    assert feed(folder) == feed(filled)


def test_deleted_catalog_is_rebuilt_without_downloading_pictures_again(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    picture(folder, DAYS[7]).write_bytes(picture(folder, DAYS[7]).read_bytes()[:-2])  # not whole
    picture(folder, DAYS[8]).unlink()
    done = Site(DAYS).crawl(folder, "-s", "STATS_DUMP=1", "-L", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "'file_status_count/uptodate': 38" in done.stderr
    assert "'file_status_count/downloaded': 2" in done.stderr
    assert feed(folder) == feed(filled)


def test_corrupt_catalog_is_set_aside_and_rebuilt(folder: Path, filled: Path) -> None:
    catalog = folder / "output" / "catalog.db"
    broken = catalog.read_bytes()[:5000] + b"\xff" * 3000
    catalog.write_bytes(broken)
    done = Site(DAYS).crawl(folder)
    assert done.returncode == 0, done.stderr
    assert feed(folder) == feed(filled)
    [aside] = (folder / "output").glob("catalog.db.corrupt-*")
    assert aside.read_bytes() == broken
    assert aside.name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE timecoverspider SET schema_version = 99", "schema version 99"),
        ("ALTER TABLE timecoverspider RENAME TO theirs", "not a catalog of timecoverspider"),
        ("DROP TABLE timecoverspider; DROP TABLE crawls; ALTER TABLE records RENAME TO x", "not a catalog"),
    ],
)
def test_a_catalog_that_is_not_ours_is_refused_and_left_alone(folder: Path, change: str, said: str) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    connection.executescript(change)
    connection.close()
    before, site = (folder / "output" / "catalog.db").read_bytes(), Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 1
    assert said in closing(done)
    assert "Traceback" not in done.stderr
    assert not site.asked
    assert (folder / "output" / "catalog.db").read_bytes() == before


def test_data_set_can_be_moved(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere, site = tmp_path_factory.mktemp("elsewhere"), Site(DAYS)
    shutil.move(folder / "output", elsewhere / "output")
    assert site.crawl(elsewhere).returncode == 0
    assert len(site.asked) == 3
    assert len(records(elsewhere)) == 40


def test_one_data_set_holds_one_archive(folder: Path) -> None:
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={folder / 'output'}", cwd=folder)  # the replica
    assert done.returncode == 1
    assert "ARCHIVE=live" in closing(done)
    assert "FILES_STORE" in closing(done)
    assert len(rows(folder, "SELECT * FROM records")) == 40


def test_an_unusable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("")
    done = Site(DAYS).crawl(tmp_path)
    assert done.returncode == 1
    assert "cannot use" in closing(done)
    assert "Traceback" not in done.stderr


def test_catalog_can_be_a_postgresql_database(tmp_path: Path, filled: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]
    assert Site(DAYS[2:]).crawl(tmp_path, *arguments).returncode == 0
    site = Site(DAYS)
    done = site.crawl(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 2
    assert feed(tmp_path) == feed(filled)
    assert not (tmp_path / "output" / "catalog.db").exists()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (40,)


def test_a_catalog_out_of_reach_is_one_line(tmp_path: Path) -> None:
    done = Site(DAYS).crawl(tmp_path, "-s", "CATALOG_URL=postgresql+psycopg://u:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "cannot use the catalog postgresql://127.0.0.1:1/x: " in closing(done)
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
