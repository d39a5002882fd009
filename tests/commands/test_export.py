"""``scrapy export``: output, exit status, kills, a full disk. What is exported is tested in exports/test_export.py."""

import os
import pty
import random
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from data_set import rows
from items_dataset import SPIDER, covers, croissant, drawing, store_items, tree
from scrapy_command import PROJECT, Done, environment, run_program, run_scrapy, scrapy_command

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.formats.about import DRAWN
from timecoverspider.exports.formats.contents import read_contents


def export(folder: Path, *arguments: str) -> Done:
    return run_scrapy("export", *arguments, *_options(folder), cwd=folder)


def _options(folder: Path) -> list[str]:
    return ["-s", f"FILES_STORE={folder / 'output'}", "--out", "out"]


def test_export_of_a_crawl_is_one_line_and_says_that_images_are_drawings(folder: Path) -> None:
    rows(folder, "UPDATE crawls SET archive = 'replica'")  # the test's crawl has the images through a proxy
    before = tree(folder / "output")
    done = export(folder, "imagefolder")
    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    assert line.startswith("40 images, ")
    assert line.endswith(" in out, version 1.0.0.")
    assert DRAWN in (folder / "out" / "README.md").read_text()
    assert croissant(folder / "out")["license"] == "https://spdx.org/licenses/MIT"
    assert tree(folder / "output") == before


def test_images_of_another_site_are_no_drawings_if_the_setting_is_the_replica(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1), archive="replica")
    assert export(tmp_path, "imagefolder").returncode == 0
    assert DRAWN not in (tmp_path / "out" / "README.md").read_text()


def test_damaged_image_is_a_line_and_exit_status_3(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(3))
    lost = next((tmp_path / "output" / "full").iterdir())
    lost.unlink()
    done = export(tmp_path, "webdataset")
    assert (done.returncode, done.stderr) == (3, "")
    named, closing = done.stdout.splitlines()
    assert named.startswith(f"left out: full/{lost.name} (<http://shop.example/")
    assert "No such file" in named
    assert closing.endswith("version 1.0.0, left out: 1.")


@pytest.mark.parametrize(
    "arguments", [[], ["csv"], ["imagefolder", "a", "b"], ["imagefolder", "--mend"], ["imagefolder", "other"]]
)
def test_wrong_usage_is_exit_status_2(tmp_path: Path, arguments: list[str]) -> None:
    store_items(tmp_path / "output", covers(1))
    done = export(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_export_without_a_folder_is_exit_status_2(tmp_path: Path) -> None:
    done = run_scrapy("export", "imagefolder", cwd=tmp_path)
    assert done.returncode == 2
    assert "--out" in done.stderr


def test_spider_can_be_named(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    assert export(tmp_path, "imagefolder", SPIDER).returncode == 0


def test_folder_of_a_person_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    done = export(tmp_path, "imagefolder")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert str(tmp_path / "out") in done.stderr
    assert tree(tmp_path / "out") == {"mine.txt": b"mine"}


def test_folder_without_a_data_set_is_one_line_and_exit_status_1(tmp_path: Path) -> None:
    done = export(tmp_path, "imagefolder")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "catalog" in done.stderr


def test_export_during_a_crawl_is_exit_status_5(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    with Dataset(tmp_path / "output", write=True, archive="live"):
        done = export(tmp_path, "imagefolder")
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)


@pytest.mark.slow
def test_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(3))
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    command = scrapy_command("export", "imagefolder", *_options(tmp_path))
    subprocess.run(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=slave, check=True)
    assert b"0/3 [" in os.read(master, 4096)
    os.close(slave)
    os.close(master)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(1))
    code = f"import sys\nsys.modules['pyarrow'] = None\n{_EXECUTE}"
    done = run_program(sys.executable, "-c", code, "export", "parquet", *_options(tmp_path), cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert 'pip install -e ".[parquet]"' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


_EXECUTE = "sys.argv[0] = 'scrapy'\nfrom scrapy.cmdline import execute\nexecute()"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imagefolder", "parquet", "webdataset"])
def test_full_disk_is_one_line_and_leaves_the_earlier_export(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="needs tests/requirements-slow.txt")
    store_items(tmp_path / "output", covers(30), [drawing(n) + b"\0" * 9_000 for n in range(30)])
    assert export(tmp_path, "imagefolder").returncode == 0
    before = tree(tmp_path)
    limit = 5_000 if kind == "imagefolder" else 100_000  # no file may be larger, as on a full disk
    code = f"import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n{_EXECUTE}"
    command = (sys.executable, "-c", code, "export", kind, *_options(tmp_path))
    done = run_program(*command, cwd=tmp_path, COVERAGE_PROCESS_CONFIG="")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert "File too large" in done.stderr
    assert tree(tmp_path) == before


def _signalled(folder: Path, number: int) -> Done:
    """Export to ``out``; the process gets a signal when it reads the oldest but two of the images."""
    code = (
        "import os, sys\n"
        "from timecoverspider.exports.formats import originals\n"
        "read = originals._read\n"
        "def signalled(folder, row):\n"
        f"    if row.values['title'] == 'Cover 27': os.kill(os.getpid(), {number})\n"
        "    return read(folder, row)\n"
        f"originals._read = signalled\n{_EXECUTE}"
    )
    return run_program(sys.executable, "-c", code, "export", "webdataset", *_options(folder), cwd=folder)


def test_interrupted_export_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(30))
    done = _signalled(tmp_path, signal.SIGINT)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "scrapy export: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


@pytest.mark.slow
def test_killed_export_leaves_the_earlier_one_and_the_next_cleans_up(tmp_path: Path) -> None:
    store_items(tmp_path / "output", covers(30))
    assert export(tmp_path, "imagefolder").returncode == 0
    before = tree(tmp_path / "out")
    assert _signalled(tmp_path, signal.SIGKILL).returncode == -signal.SIGKILL
    assert tree(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.timecoverspider.draft", "out", "output"]
    done = export(tmp_path, "webdataset")
    assert done.returncode == 0, done.stderr
    assert croissant(tmp_path / "out")["version"] == "1.0.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_export_that_is_killed_at_any_instant_leaves_a_complete_one(tmp_path: Path, seed: int) -> None:
    store_items(tmp_path / "output", covers(300))
    started = time.monotonic()
    assert export(tmp_path, "imagefolder").returncode == 0
    duration = time.monotonic() - started
    command = scrapy_command("export", "webdataset", *_options(tmp_path))
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    try:
        process.wait(timeout=random.Random(seed).uniform(0.3, 2) * duration)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    places = [tmp_path / "out", tmp_path / ".out.timecoverspider.old"]
    assert any(len(read_contents(place).rows) == 300 for place in places if read_contents(place))
    if (tmp_path / "out").exists():
        assert read_contents(tmp_path / "out")
    done = export(tmp_path, "webdataset")
    assert done.returncode == 0, done.stderr
    assert croissant(tmp_path / "out")["version"] == "1.0.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "output"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imagefolder", "parquet", "webdataset"])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="needs tests/requirements-slow.txt")
    code = (
        "import atexit, os, sys\n"
        "from image_workers import peak_memory\n"
        f"atexit.register(lambda: print(peak_memory(os.getpid()), file=sys.stderr))\n{_EXECUTE}"
    )
    peaks = []
    for count in (2_000, 20_000):
        folder = tmp_path / str(count)
        store_items(folder / "output", covers(count), (drawing(1) + number.to_bytes(4) for number in range(count)))
        for _ in range(2):  # the second export also reads what the first contains
            command = (sys.executable, "-c", code, "export", kind, *_options(folder))
            done = run_program(*command, cwd=folder, PYTHONPATH=os.pathsep.join((str(PROJECT), *sys.path)))
            assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 20_000_000, peaks  # bytes; 18,000 entries of read_collection take 45 MB
