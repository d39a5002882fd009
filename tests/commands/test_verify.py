"""``scrapy verify``: output, exit status, repairs. What is found is tested in dataset/test_verification.py."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import termios
from pathlib import Path

import pytest
from aiohttp import web
from data_set import feed, image_path, records
from mock_archive import DAYS, INDEX, MockArchive
from sample_dataset import write_metadata
from scrapy_command import FULL_SPEED, Done, environment, run_scrapy, scrapy_command
from serving import serving
from yarl import URL

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url

DAMAGED = DAYS[5]
NOWHERE = "http://127.0.0.1:9"  # a proxy that nobody is at: verify requests nothing


def verify(folder: Path, *arguments: str, proxy: str = NOWHERE) -> Done:
    return run_scrapy("verify", *_options(folder), *arguments, cwd=folder, http_proxy=proxy)


def repair(folder: Path, archive: MockArchive, *arguments: str) -> Done:
    archive.requests.clear()
    with serving(archive.app) as address:
        return verify(folder, "--repair", *arguments, proxy=address)


def _options(folder: Path) -> list[str]:
    return ["-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]


def state(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def alter(folder: Path) -> None:
    content = bytearray(image_path(folder, DAMAGED).read_bytes())
    content[-100] ^= 1
    image_path(folder, DAMAGED).write_bytes(content)


def damage_everything(folder: Path) -> None:
    """Have one finding of each kind: four images, a file of nobody's, and a record more and one less in the feed."""
    image_path(folder, DAYS[1]).unlink()
    image_path(folder, DAYS[2]).write_bytes(image_path(folder, DAYS[2]).read_bytes()[:5000])
    alter(folder)
    _store_invalid(folder)
    shutil.copy(image_path(folder, DAYS[0]), folder / "output" / "full" / "mine.jpg")
    (folder / "output.json").write_text(json.dumps([*records(folder)[1:], {"title": "Mad"}]))


def _store_invalid(folder: Path) -> None:
    """Have the catalog say of an invalid image what it is, as if it had been stored like that."""
    file = image_path(folder, DAYS[7])
    content = file.read_bytes()[:-9] + bytes(9)
    file.write_bytes(content)
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        [image] = [image for image in dataset.images() if image.url == image_url(DAYS[7])]
        dataset.catalog.save(images=[image._replace(checksum=hashlib.md5(content).hexdigest())])
        write_metadata(dataset)
        items = [record.item for record in dataset.records()]
    (folder / "output.json").write_text(json.dumps(items))


def test_verify_of_a_complete_dataset_is_one_line_and_changes_nothing(folder: Path) -> None:
    before = state(folder)
    done = verify(folder)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "40" in done.stdout
    assert done.stderr == ""
    assert state(folder) == before


def test_verify_of_a_damaged_dataset_is_a_line_for_each_finding_and_changes_nothing(folder: Path) -> None:
    damage_everything(folder)
    before = state(folder)
    done = verify(folder)
    assert done.returncode == 3
    *found, closing = done.stdout.splitlines()
    kinds = ["missing", "cut", "altered", "undecodable", "unknown", "not in the feed", "only in the feed"]
    assert [line.partition(":")[0] for line in found] == kinds
    assert f"full/{image_path(folder, DAMAGED).name}" in found[2]
    assert cover_url(DAMAGED) in found[2]
    assert "problems found: 7" in closing
    assert done.stderr == ""
    assert state(folder) == before


def test_repair_fetches_damaged_images_and_nothing_else(folder: Path, filled: Path) -> None:
    damage_everything(folder)
    archive = MockArchive()
    done = repair(folder, archive)
    assert done.returncode == 0, done.stderr
    damaged = [DAYS[1], DAYS[2], DAMAGED, DAYS[7]]
    requests = [url for url in archive.requests if not url.endswith("robots.txt")]
    assert sorted(requests) == sorted(str(URL(image_url(day))) for day in damaged)
    assert all(image_path(folder, day).read_bytes() == draw_cover(day, 600) for day in damaged)
    assert feed(folder) == feed(filled)
    assert (folder / "output" / "unknown" / "mine.jpg").exists()
    assert len([line for line in done.stdout.splitlines() if line.startswith("repaired: ")]) == 7
    assert "problems found: 7, repaired: 7" in done.stdout.splitlines()[-1]
    assert verify(folder).returncode == 0


@pytest.mark.parametrize("content", [b"[]", b'[{"title": '])
def test_repair_of_a_feed_alone_requests_nothing(folder: Path, filled: Path, content: bytes) -> None:
    (folder / "output.json").write_bytes(content)
    archive = MockArchive()
    done = repair(folder, archive)
    assert done.returncode == 0, done.stderr
    assert not archive.requests
    assert feed(folder) == feed(filled)


@pytest.mark.parametrize("content", [b"{}", None])
def test_metadata_that_differs_or_is_missing_is_a_finding_and_repair_writes_it_again(
    folder: Path, content: bytes | None
) -> None:
    file = folder / "output" / "metadata.jsonl"
    before = file.read_bytes()
    file.unlink()
    if content:
        file.write_bytes(content)
    done = verify(folder)
    assert done.returncode == 3
    [line, _] = done.stdout.splitlines()
    assert line.startswith("altered: metadata.jsonl: " if content else "missing: metadata.jsonl: ")
    (folder / "output.json").unlink()
    archive = MockArchive()
    done = repair(folder, archive)
    assert done.returncode == 0, done.stderr
    assert "repaired: metadata.jsonl" in done.stdout
    assert not archive.requests
    assert file.read_bytes() == before


def test_repair_of_an_image_that_stays_invalid_leaves_it_and_fails(folder: Path, filled: Path) -> None:
    alter(folder)
    altered, archive = image_path(folder, DAMAGED).read_bytes(), MockArchive()
    archive.answers[image_url(DAMAGED)] = b"no image"
    done = repair(folder, archive)
    assert done.returncode == 3
    assert cover_url(DAMAGED) in done.stderr
    assert "repaired" not in done.stdout
    assert image_path(folder, DAMAGED).read_bytes() == altered
    assert feed(folder) == feed(filled)


def test_repair_is_not_taken_for_a_complete_crawl(tmp_path: Path) -> None:
    archive, days = MockArchive(DAYS[:20]), DAYS[:20]
    archive.answers[cover_url(days[18])] = 404
    assert archive.crawl(tmp_path).returncode == 3
    alter(tmp_path)
    assert repair(tmp_path, MockArchive(days)).returncode == 0
    assert MockArchive(days).crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 20


def test_json_has_findings_and_what_was_repaired(folder: Path) -> None:
    alter(folder)
    done = verify(folder, "--json")
    assert done.returncode == 3
    [finding] = json.loads(done.stdout)["findings"]
    assert (finding["what"], finding["page_url"]) == ("altered", cover_url(DAMAGED))
    assert finding["subject"] == f"full/{image_path(folder, DAMAGED).name}"
    done = repair(folder, MockArchive(), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"covers": 40, "findings": [], "repaired": [finding]}


def test_feed_is_checked_if_it_is_named_or_has_the_usual_name(folder: Path) -> None:
    (folder / "output.json").rename(folder / "covers.json")
    assert "output.json" not in verify(folder).stdout
    done = verify(folder, "covers.json")
    assert (done.returncode, "covers.json" in done.stdout) == (0, True)
    done = verify(folder, "lost.json")
    assert (done.returncode, done.stdout.startswith("no feed: lost.json: ")) == (3, True)


@pytest.mark.parametrize("arguments", [["a.csv", "b.csv"], ["a.json", "b.json"], ["--mend"]])
def test_wrong_usage_is_exit_status_2(tmp_path: Path, arguments: list[str]) -> None:
    done = verify(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [None, b"", b"not a database, but long enough to look like one" * 200])
def test_verify_without_a_valid_catalog_is_one_line_and_changes_nothing(folder: Path, content: bytes | None) -> None:
    catalog = folder / "output" / "catalog.db"
    catalog.unlink()
    if content is not None:
        catalog.write_bytes(content)
    before = state(folder)
    done = verify(folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "catalog.db" in done.stderr
    assert state(folder) == before


def test_verify_during_a_crawl_is_exit_status_5(folder: Path) -> None:
    archive, checks = MockArchive(), []

    async def check(request: web.Request) -> web.StreamResponse:
        checks.append(verify(folder))
        return web.Response(status=404)

    archive.answers[INDEX] = check
    archive.crawl(folder)
    assert checks[0].returncode == 5
    assert "process" in checks[0].stderr


def test_terminal_gets_a_progress_bar(folder: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    command = scrapy_command("verify", *_options(folder))
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=slave, check=True)
    assert done.stdout
    assert b"/40 [" in os.read(master, 4096)
    os.close(slave)
    os.close(master)


def test_repair_that_is_interrupted_has_the_exit_status_of_the_signal(folder: Path) -> None:
    image_path(folder, DAMAGED).unlink()
    archive, process = MockArchive(), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        process[0].send_signal(signal.SIGTERM)
        return web.Response(status=503)

    archive.answers[image_url(DAMAGED)] = interrupt
    with serving(archive.app) as address:
        command = scrapy_command("verify", "--repair", *_options(folder))
        variables = environment(http_proxy=address)
        process.append(subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True))
        process[0].communicate(timeout=60)
    assert process[0].returncode == 143


def test_repair_of_a_spider_that_is_gone_is_refused(folder: Path) -> None:
    image_path(folder, DAMAGED).unlink()
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        dataset.catalog.describe("gone", dataset.catalog.fields)
    done = verify(folder, "--repair")
    assert done.returncode == 2
    assert "'gone'" in done.stderr
    assert "Traceback" not in done.stderr


QUALITY = "hints on quality: "


def test_inspect_names_hints_and_the_exit_status_stays_0(folder: Path) -> None:
    done = verify(folder, "--inspect")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"no problems; {QUALITY}0." in done.stdout
    (folder / "output" / "distinct.txt").write_text("full/a\x1b[2J.jpg\n")
    done = verify(folder, "--inspect")
    assert done.returncode == 0
    hint, closing = done.stdout.splitlines()
    assert hint == "bad line: distinct.txt:1: a line has two paths, but this line has 1"
    assert f"{QUALITY}1." in closing
    assert QUALITY not in verify(folder).stdout


def test_inspect_of_a_damaged_dataset_names_problems_and_hints(folder: Path) -> None:
    damage_everything(folder)
    (folder / "output" / "distinct.txt").write_text("one\n")
    done = verify(folder, "--inspect", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    report = json.loads(done.stdout)
    assert len(report["findings"]) == 7
    hint = report["hints"][-1]
    assert (hint["what"], hint["subject"], hint["others"]) == ("bad line", "distinct.txt:1", [])
