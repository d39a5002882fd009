"""The data set on disk against its catalog and its feed: what is found, and what is repaired."""

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import DAYS, Site, environment, feed, picture, records, run_scrapy, scrapy_command, serving
from yarl import URL

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url

HURT = DAYS[5]
FOREIGN = {"title": "Mad", "pubDate": "1952-10-01", "file_urls": [], "files": []}


def verify(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    store = ["-s", f"FILES_STORE={folder / 'output'}", "-s", "ARCHIVE=live", "-s", "DOWNLOAD_DELAY=0"]
    return run_scrapy("verify", *store, *arguments, cwd=folder)


def repair(folder: Path, site: Site, *arguments: str) -> "subprocess.CompletedProcess[str]":
    store = ["-s", f"FILES_STORE={folder / 'output'}", "-s", "ARCHIVE=live", "-s", "DOWNLOAD_DELAY=0"]
    more = ["-s", "AUTOTHROTTLE_ENABLED=0", "-s", "RETRY_BACKOFF=0"]
    with serving(site.app) as address:
        return run_scrapy("verify", "--repair", *store, *more, *arguments, cwd=folder, http_proxy=address)


def state(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def _change_catalog(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    with connection:
        connection.execute(statement)
    connection.close()


def _missing(folder: Path) -> None:
    picture(folder, HURT).unlink()


def _cut(folder: Path) -> None:
    picture(folder, HURT).write_bytes(picture(folder, HURT).read_bytes()[:5000])


def _altered(folder: Path) -> None:
    content = bytearray(picture(folder, HURT).read_bytes())
    content[-100] ^= 1
    picture(folder, HURT).write_bytes(content)


def _undecodable(folder: Path) -> None:
    content = picture(folder, HURT).read_bytes()[:-9] + bytes(9)
    picture(folder, HURT).write_bytes(content)
    checksum = hashlib.md5(content).hexdigest()
    _change_catalog(folder, f"UPDATE images SET checksum = '{checksum}' WHERE url = '{image_url(HURT)}'")
    rows = records(folder)
    [mine] = [row for row in rows if row["pubDate"] == HURT.isoformat()]
    mine["files"][0]["checksum"] = checksum
    _write(rows, folder)


def _unknown(folder: Path) -> None:
    shutil.copy(picture(folder, HURT), folder / "output" / "full" / "mine.jpg")


def _not_in_the_feed(folder: Path) -> None:
    _write([row for row in records(folder) if row["pubDate"] != HURT.isoformat()], folder)


def _only_in_the_feed(folder: Path) -> None:
    _write([*records(folder), FOREIGN], folder)


def _twice_in_the_feed(folder: Path) -> None:
    _write([*records(folder), records(folder)[5]], folder)


def _no_feed(folder: Path) -> None:
    (folder / "output.json").write_text('[{"title": ')


def _write(rows: list[dict[str, Any]], folder: Path) -> None:
    (folder / "output.json").write_text(json.dumps(rows))


PICTURE = f"full/{picture(Path(), HURT).name} (<{cover_url(HURT)}>)"
DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (_missing, f"missing: {PICTURE}: there is no such file"),
    "cut": (_cut, f"cut: {PICTURE}: it has 5,000 bytes in place of {len(draw_cover(HURT, 600)):,}"),
    "altered": (_altered, f"altered: {PICTURE}: its MD5 is not {hashlib.md5(draw_cover(HURT, 600)).hexdigest()}"),
    "undecodable": (_undecodable, f"undecodable: {PICTURE}: it is not a whole picture: "),
    "unknown": (_unknown, "unknown: full/mine.jpg: no cover in the catalog has this file"),
    "unpublished": (_not_in_the_feed, f"not in the feed: {cover_url(HURT)}: output.json has no record of it"),
    "foreign": (_only_in_the_feed, 'only in the feed: output.json: the catalog does not have its record {"file_urls"'),
    "twice": (_twice_in_the_feed, "only in the feed: output.json: the catalog does not have its record {"),
    "unreadable": (_no_feed, "no feed: output.json: it is no list of records: "),
}


def test_a_whole_data_set_is_well(folder: Path) -> None:
    before = state(folder)
    done = verify(folder)
    assert (done.returncode, done.stdout) == (0, "40 covers in output and output.json: all is well.\n")
    assert done.stderr == ""
    assert state(folder) == before


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_is_one_line_and_left_alone(folder: Path, name: str) -> None:
    damage, said = DAMAGES[name]
    damage(folder)
    before = state(folder)
    done = verify(folder)
    assert done.returncode == 3
    finding, closing = done.stdout.splitlines()
    assert finding.startswith(said)
    assert closing == "40 covers in output and output.json: 1 found."
    assert done.stderr == ""
    assert state(folder) == before


@pytest.mark.parametrize("name", DAMAGES)
def test_repair_fetches_just_what_is_broken(folder: Path, filled: Path, name: str) -> None:
    damage, said = DAMAGES[name]
    damage(folder)
    site = Site(DAYS)
    done = repair(folder, site)
    assert done.returncode == 0, done.stderr
    pictures = name in ("missing", "cut", "altered", "undecodable")
    assert [url for url in site.asked if "robots" not in url] == [str(URL(image_url(HURT)))] * pictures
    assert feed(folder) == feed(filled)
    assert picture(folder, HURT).read_bytes() == draw_cover(HURT, 600)
    finding, repaired, closing = done.stdout.splitlines()
    assert finding.startswith(said)
    assert repaired.startswith("repaired: ")
    assert closing.endswith("1 found, 1 repaired.")
    assert (folder / "output" / "unknown" / "mine.jpg").exists() == (name == "unknown")
    assert verify(folder).returncode == 0


def test_what_cannot_be_repaired_stays_as_it_is(folder: Path, filled: Path) -> None:
    _altered(folder)
    altered, site = picture(folder, HURT).read_bytes(), Site(DAYS)
    site.instead[image_url(HURT)] = b"no picture"
    done = repair(folder, site)
    assert done.returncode == 3
    assert f"Missing: <{cover_url(HURT)}>: its picture <{image_url(HURT)}>: it is no picture" in done.stderr
    assert "repaired" not in done.stdout
    assert picture(folder, HURT).read_bytes() == altered
    assert feed(folder) == feed(filled)


def test_a_repair_does_not_pass_for_a_whole_crawl(tmp_path: Path) -> None:
    site = Site(DAYS)
    site.instead[cover_url(DAYS[30])] = 404
    assert site.crawl(tmp_path).returncode == 3
    _altered(tmp_path)
    assert repair(tmp_path, Site(DAYS)).returncode == 0
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 40


def test_json_is_for_machines(folder: Path) -> None:
    _altered(folder)
    done = verify(folder, "--json")
    assert done.returncode == 3
    [finding] = json.loads(done.stdout)["findings"]
    assert (finding["what"], finding["page_url"]) == ("altered", cover_url(HURT))
    assert finding["subject"] == f"full/{picture(folder, HURT).name}"
    done = repair(folder, Site(DAYS), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"covers": 40, "findings": [], "repaired": [finding]}


def test_a_feed_can_be_named_and_need_not_be_there(folder: Path) -> None:
    (folder / "output.json").rename(folder / "covers.json")
    assert verify(folder).stdout == "40 covers in output: all is well.\n"
    assert verify(folder, "covers.json").stdout == "40 covers in output and covers.json: all is well.\n"
    done = verify(folder, "lost.json")
    assert (done.returncode, done.stdout.splitlines()[0]) == (3, "no feed: lost.json: it cannot be read: No such file or directory")  # fmt: skip  # noqa: E501
    (folder / "covers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in json.loads(feed(folder, "covers.json"))))  # fmt: skip  # noqa: E501
    assert verify(folder, "covers.jsonl").returncode == 0


@pytest.mark.parametrize("arguments", [["covers.csv"], ["a.json", "b.json"], ["--mend"]])
def test_wrong_usage_is_exit_2(folder: Path, arguments: list[str]) -> None:
    done = verify(folder, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_catalog_there_is_nothing_to_check(folder: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    before = state(folder)
    done = verify(folder)
    assert done.returncode == 1
    assert re.fullmatch(r"scrapy verify: there is no catalog at .*/output/catalog.db, .*\n", done.stderr)
    assert state(folder) == before


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look like one" * 200])
def test_a_catalog_that_is_none_is_one_line(folder: Path, content: bytes) -> None:
    (folder / "output" / "catalog.db").write_bytes(content)
    done = verify(folder)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "catalog.db" in done.stderr
    assert (folder / "output" / "catalog.db").read_bytes() == content


def test_while_a_crawl_is_at_work_there_is_no_telling(folder: Path) -> None:
    site, checks = Site(DAYS), []

    async def check(request: web.Request) -> web.StreamResponse:
        checks.append(verify(folder))
        return web.Response(status=404)

    site.instead[str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))] = check
    site.crawl(folder)
    assert checks[0].returncode == 5
    assert "in use by process" in checks[0].stderr


def test_a_terminal_gets_a_progress_bar(folder: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    command = scrapy_command("verify", "-s", f"FILES_STORE={folder / 'output'}")
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=slave, check=True)
    assert b"all is well" in done.stdout
    assert b"/40 [" in os.read(master, 4096)
    os.close(slave)
    os.close(master)


def test_a_repair_that_is_interrupted_says_so(folder: Path) -> None:
    picture(folder, HURT).unlink()
    site, process = Site(DAYS), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        process[0].send_signal(signal.SIGTERM)
        return web.Response(status=503)

    site.instead[image_url(HURT)] = interrupt
    store = ["-s", f"FILES_STORE={folder / 'output'}", "-s", "ARCHIVE=live", "-s", "DOWNLOAD_DELAY=0"]
    with serving(site.app) as address:
        command = scrapy_command("verify", "--repair", *store)
        process.append(
            subprocess.Popen(
                command, cwd=folder, env=environment(http_proxy=address), stdout=subprocess.PIPE, text=True
            )
        )
        process[0].communicate(timeout=60)
    assert process[0].returncode == 143


def test_a_data_set_of_a_spider_that_is_gone_is_one_line(folder: Path) -> None:
    picture(folder, HURT).unlink()
    _change_catalog(folder, "UPDATE dataset SET value = 'gone' WHERE name = 'spider'")
    done = verify(folder, "--repair")
    assert done.returncode == 2
    assert "the data set is of the spider 'gone'" in done.stderr
    assert "Traceback" not in done.stderr
