"""``scrapy gallery``: output, exit status, crashes. What is built is tested in exports/test_gallery.py."""

import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web
from mock_archive import INDEX, MockArchive
from sample_images import cover, make_samples, picture
from scrapy_command import FULL_SPEED, SPIDER, Done, environment, run_scrapy, scrapy_command

from timecoverspider.dataset.lock import Lock

PAGE = Path("output", "gallery", "index.html")


def gallery(folder: Path, *arguments: str, store: str = "output") -> Done:
    return run_scrapy("gallery", *arguments, *_options(folder / store), cwd=folder)


def _options(store: Path) -> list[str]:
    return ["-s", f"FILES_STORE={store}", *FULL_SPEED]


def state(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder with a data set of three covers."""
    make_samples(
        tmp_path / "output", [cover(number, f"1969-07-{11 + 7 * number}") for number in range(3)], spider=SPIDER
    )
    return tmp_path


def test_gallery_is_one_line_that_names_the_page(folder: Path) -> None:
    done = gallery(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"40 images in {PAGE}, 40 new: ")
    assert len(done.stdout.splitlines()) == 1
    before = state(folder)
    assert gallery(folder).stdout.startswith(f"40 images in {PAGE}, 0 new: ")
    assert state(folder) == before


def test_gallery_of_the_replica_says_that_the_images_are_drawn(three: Path, folder: Path) -> None:
    gallery(three)
    assert "drawn by a program" not in (three / PAGE).read_text()


def test_gallery_leaves_out_damaged_images_and_names_them(three: Path) -> None:
    (three / "output" / "full" / "1.jpg").write_bytes(picture(1)[:300])
    done = gallery(three)
    assert (done.returncode, done.stderr) == (3, "")
    named, closing = done.stdout.splitlines()
    assert named.startswith("left out: full/1.jpg (<http://site/1>): ")
    assert closing.startswith(f"2 images in {PAGE}, 2 new: ")
    assert closing.endswith("1 left out: try scrapy verify --repair.")


def test_gallery_names_twenty_damaged_images_at_most(tmp_path: Path) -> None:
    make_samples(tmp_path / "output", [cover(number) for number in range(30)], spider=SPIDER)
    for number in range(25):
        (tmp_path / "output" / "full" / f"{number}.jpg").unlink()
    lines = gallery(tmp_path).stdout.splitlines()
    assert len(lines) == 22
    assert lines[20] == "left out: 5 more"


def test_gallery_without_images_is_one_line(tmp_path: Path) -> None:
    make_samples(tmp_path / "output", [], spider=SPIDER)
    done = gallery(tmp_path)
    assert (done.returncode, len((done.stdout + done.stderr).splitlines())) == (1, 1)
    assert "no images" in done.stdout + done.stderr
    assert not (tmp_path / PAGE).exists()


@pytest.mark.parametrize("content", [None, b"", b"not a database, but long enough to look like one" * 200])
def test_gallery_without_a_valid_catalog_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "output").mkdir()
        (tmp_path / "output" / "catalog.db").write_bytes(content)
    done = gallery(tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "catalog.db" in done.stderr
    assert not (tmp_path / "output" / "gallery").exists()


@pytest.mark.parametrize("arguments", [["a", "b"], ["--mend"], ["no-such-spider"], ["../books"]])
def test_wrong_usage_is_exit_status_2(three: Path, arguments: list[str]) -> None:
    done = gallery(three, *arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (three / "output" / "gallery").exists()


def test_gallery_of_another_spider_is_in_the_folder_of_its_data_set(tmp_path: Path) -> None:
    make_samples(tmp_path / "books", [cover(1)], spider="books")
    done = gallery(tmp_path, "books", store="books")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 images in books/gallery/index.html, 1 new: ")


def test_help_tells_where_the_page_is_and_each_exit_status(tmp_path: Path) -> None:
    done = run_scrapy("gallery", "--help", cwd=tmp_path)
    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    for words in (
        "index.html",
        "measurements.csv",
        "0 built",
        "1 the data set",
        "2 wrong usage",
        "3 built",
        "5 another",
    ):
        assert words in text


def test_second_gallery_at_the_same_time_is_exit_status_5(three: Path) -> None:
    (three / "output" / "gallery").mkdir()
    lock = Lock(three / "output" / "gallery" / ".lock")
    done = gallery(three)
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)
    assert "gallery is in use by process" in done.stderr
    lock.close()
    assert gallery(three).returncode == 0


@pytest.mark.slow
def test_gallery_during_a_crawl_shows_what_is_stored(folder: Path) -> None:
    archive, built = MockArchive(), []

    async def build(request: web.Request) -> web.StreamResponse:
        built.append(gallery(folder))
        return web.Response(status=404)

    archive.answers[INDEX] = build
    archive.crawl(folder)
    assert built[0].returncode == 0, built[0].stderr
    assert built[0].stdout.startswith("40 images in ")


def test_name_from_the_site_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    make_samples(tmp_path / "output", [cover(1, path="full/\x1b[31m\nred.jpg")], spider=SPIDER)
    (tmp_path / "output" / "full" / "\x1b[31m\nred.jpg").unlink()
    done = gallery(tmp_path)
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.slow
def test_terminal_gets_a_progress_bar(folder: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    command = scrapy_command("gallery", *_options(folder / "output"))
    subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=slave, check=True)
    os.set_blocking(master, False)
    output = os.read(master, 65536)
    os.close(slave)
    os.close(master)
    assert b"gallery:   0%" in output


@pytest.mark.slow
def test_full_disk_is_one_line_and_the_old_page_stays(folder: Path) -> None:
    assert gallery(folder).returncode == 0
    before = (folder / PAGE).read_bytes()
    make_samples(folder / "output", [cover(number, "1969-07-25") for number in range(3)], spider=SPIDER, archive="live")
    done = _limited(folder, len(before) - 2000)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "gallery" in done.stderr
    assert "File too large" in done.stderr
    assert (folder / PAGE).read_bytes() == before
    assert gallery(folder).stdout.startswith("43 images in ")


def _limited(folder: Path, limit: int) -> Done:
    """Build the gallery if no file may grow beyond *limit* bytes, as on a full disk; coverage would need files too."""
    code = (
        "import resource, runpy, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv[0] = 'scrapy'\n"
        "runpy.run_module('scrapy', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, "gallery", *_options(folder / "output")]
    variables = environment(COVERAGE_PROCESS_CONFIG="")
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/unshare").exists(), reason="root may write everywhere")
def test_read_only_folder_is_one_line_and_the_old_page_stays(three: Path) -> None:
    assert gallery(three).returncode == 0
    before = state(three)
    make_samples(three / "output", [cover(9, "1970-01-05")], spider=SPIDER)
    script = 'mount --bind output output && mount -o remount,ro,bind output && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], cwd=three, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow user namespaces")
    done = subprocess.run(
        [*command, *scrapy_command("gallery", *_options(three / "output"))],
        cwd=three, env=environment(COVERAGE_PROCESS_CONFIG=""), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "Read-only file system" in done.stderr
    assert state(three / "output" / "gallery").items() <= before.items()


@pytest.mark.slow
def test_gallery_that_is_killed_at_any_instant_keeps_the_old_page_and_goes_on(folder: Path) -> None:
    make_samples(
        folder / "output",
        [cover(n, f"{1900 + n}-01-01", content=_large(n)) for n in range(60)],
        spider=SPIDER,
        archive="live",
    )
    started = monotonic()
    assert gallery(folder, store="output").returncode == 0
    duration = monotonic() - started
    expected = state(folder / "output" / "gallery")
    for number in range(8):
        for file in (folder / "output" / "gallery" / "thumbnails").iterdir():
            file.unlink()
        process = subprocess.Popen(
            scrapy_command("gallery", *_options(folder / "output")), cwd=folder, env=environment()
        )
        try:
            process.wait(timeout=duration * (0.4 + number / 8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        found = state(folder / "output" / "gallery")
        names = {path for path in found if ".drafts" not in path.parts}
        assert names <= expected.keys()
        assert {path: found[path] for path in names} == {path: expected[path] for path in names}
        assert found[folder / PAGE] == expected[folder / PAGE]
    assert gallery(folder).returncode == 0
    assert state(folder / "output" / "gallery") == expected


def _large(number: int) -> bytes:
    return picture(number, (900, 1200))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_gallery_that_is_interrupted_is_not_a_traceback(tmp_path: Path, number: signal.Signals) -> None:
    make_samples(tmp_path / "output", [cover(n, content=_large(n)) for n in range(300)], spider=SPIDER)
    command = scrapy_command("gallery", *_options(tmp_path / "output"))
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    thumbnails = tmp_path / "output" / "gallery" / "thumbnails"
    while process.poll() is None and not (thumbnails.exists() and any(thumbnails.iterdir())):
        pass
    process.send_signal(number)
    started = monotonic()
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in (128 + number, -number)
    assert monotonic() - started < 10
