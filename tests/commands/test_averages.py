"""``scrapy averages``: options, output, exit status. The averages themselves are tested in exports/test_averages.py."""

import os
import pty
import re
import signal
import subprocess
import termios
from pathlib import Path

import pytest
from aiohttp import web
from data_set import image_path
from mock_archive import DAYS, INDEX, MockArchive
from PIL import Image
from sample_dataset import small_jpeg, store_images
from scrapy_command import Done, environment, run_scrapy, scrapy_command

from timecoverspider.exports.averages import Output
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url


def run_averages(folder: Path, *arguments: str) -> Done:
    return run_scrapy(*_arguments(folder), *arguments, cwd=folder)


def _arguments(folder: Path) -> list[str]:
    return ["averages", "-s", f"FILES_STORE={folder / 'output'}"]


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the sizes of all images in a folder, by file name; there is nothing else in the folder."""
    found = {}
    for file in sorted(folder.iterdir()):
        with Image.open(file) as image:
            found[file.name] = image.size
    return found


def only_line(text: str) -> str:
    [line] = text.splitlines()
    return line


def test_averages_of_decades_are_in_the_folder_of_the_data_set(folder: Path) -> None:
    done = run_averages(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 average of 40 images in output/averages/decades.\n"
    assert sizes(folder / "output" / "averages" / "decades") == {"2010.png": (400, 527)}
    assert run_scrapy("verify", *_arguments(folder)[1:], cwd=folder).returncode == 0


def test_options_are_period_size_and_folder(folder: Path) -> None:
    done = run_averages(folder, "--by", "year", "--size", "20x30")
    assert sizes(folder / "output" / "averages" / "years") == {"2013.png": (20, 30), "2014.png": (20, 30)}
    done = run_averages(folder, "--out", "a/b", "--size", "20x30", "pyimagesearch-cover-spider")
    assert done.stdout == "1 average of 40 images in a/b.\n"
    assert sizes(folder / "a" / "b") == {"2010.png": (20, 30)}


def test_images_without_a_date_and_decades_without_images_are_a_line_each(tmp_path: Path) -> None:
    store_images(tmp_path / "output", [(day, small_jpeg("")) for day in ("1850", "1890-05-05", "", "soon")])
    done = run_averages(tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "left out: 2 images without a date",
        "left out: decades without images: 1860 to 1880",
        "2 averages of 2 images in output/averages/decades.",
    ]


def test_images_that_cannot_be_read_are_named_and_exit_status_3(folder: Path) -> None:
    image_path(folder, DAYS[3]).unlink()
    image_path(folder, DAYS[7]).write_bytes(image_path(folder, DAYS[7]).read_bytes()[:5000])
    done = run_averages(folder)
    assert done.returncode == 3
    assert done.stdout == "1 average of 38 images in output/averages/decades; 2 images could not be read.\n"
    lines = {day: line for line in done.stderr.splitlines() for day in (DAYS[3], DAYS[7]) if cover_url(day) in line}
    assert len(done.stderr.splitlines()) == len(lines) == 2
    for day, reason in ((DAYS[3], "No such file or directory"), (DAYS[7], "truncated")):
        assert lines[day].startswith(f"unreadable: full/{image_path(folder, day).name} (<")
        assert reason in lines[day]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--size", "400"], "'400'"),
        (["--size", "0x10"], "'0x10'"),
        (["--size", "4097x1"], "4096x4096"),
        (["--by", "month"], "'month'"),
        (["books", "covers"], "at most one spider"),
        (["--mend"], "--mend"),
        (["books"], "'books'"),
    ],
)
def test_wrong_usage_is_exit_status_2(folder: Path, arguments: list[str], named: str) -> None:
    (folder / "output" / "books").symlink_to(folder / "output")  # the data set of another spider
    done = run_averages(folder, *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "output" / "averages").exists()


@pytest.mark.parametrize("out", ["output.json", "output.json/averages", "/proc/averages", "a" * 300])
def test_folder_that_cannot_be_written_is_one_line(folder: Path, out: str) -> None:
    done = run_averages(folder, "--out", out)
    assert (done.returncode, done.stdout) == (1, "")
    assert only_line(done.stderr).startswith(f"scrapy averages: cannot write to {out}: ")


def test_averages_without_a_data_set_is_one_line_and_makes_no_folder(tmp_path: Path) -> None:
    done = run_averages(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no catalog" in only_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_another_process_writes_to_is_exit_status_5(folder: Path) -> None:
    output = Output(folder / "out", "decade", print)
    done = run_averages(folder, "--out", "out")
    assert (done.returncode, done.stdout) == (5, "")
    assert "in use by process" in only_line(done.stderr)
    output.finish([])


@pytest.mark.slow
def test_averages_during_a_crawl_are_of_what_is_stored(folder: Path) -> None:
    archive, runs = MockArchive(), []

    async def run(request: web.Request) -> web.StreamResponse:
        runs.append(run_averages(folder))
        return web.Response(status=404)

    archive.answers[INDEX] = run
    archive.crawl(folder)
    assert (runs[0].returncode, runs[0].stderr) == (0, "")
    assert sizes(folder / "output" / "averages" / "decades") == {"2010.png": (400, 527)}


# Sends the process a signal at the moment when a complete draft is to be renamed.
_SIGNAL = """
import os, sys
sys.addaudithook(lambda event, values: event == "os.rename" and os.kill(os.getpid(), int(os.environ["NUMBER"])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_run_that_ends_half_way_leaves_no_average_and_does_not_stop_the_next(
    folder: Path, number: int, status: int
) -> None:
    (folder / "sitecustomize.py").write_text(_SIGNAL)
    variables = environment(NUMBER=str(int(number)))
    variables["PYTHONPATH"] = os.pathsep.join((str(folder), variables["PYTHONPATH"]))
    command = scrapy_command(*_arguments(folder))
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr == ("scrapy: interrupted\n" if status > 0 else "")
    decades = folder / "output" / "averages" / "decades"
    assert list(decades.glob("*.png")) == []
    assert len(list(decades.glob(".drafts/2010.png.*"))) == 1
    assert run_averages(folder).returncode == 0
    assert sizes(decades) == {"2010.png": (400, 527)}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["decade", "year"])
def test_memory_does_not_grow_with_the_images_and_periods(tmp_path: Path, by: str) -> None:
    cover = draw_cover(DAYS[0], 600)
    peaks = {}
    for count in (50, 500):
        folder = tmp_path / str(count)
        store_images(folder / "output", [(f"{1000 + number}-01-01", cover) for number in range(count)])
        process = subprocess.Popen(
            scrapy_command(*_arguments(folder), "--by", by), env=environment(), stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks[count] = usage.ru_maxrss / 1024
    assert peaks[500] - peaks[50] < 15  # MB; the images that are added have 280 MB


@pytest.mark.slow
def test_terminal_gets_a_progress_bar(folder: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    command = scrapy_command(*_arguments(folder))
    subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=slave, check=True)
    assert re.search(rb"images: +0%\|.*/40 \[", os.read(master, 4096))
    os.close(slave)
    os.close(master)
