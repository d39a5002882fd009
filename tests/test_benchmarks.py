"""The benchmark runs and writes its tables. The figures depend on the machine and are not tested."""

import json
import re
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
from benchmarks.images import draw_grainy_cover
from scrapy_command import PROJECT, Done, environment, run_program

from timecoverspider.dataset.images import validate_image
from timecoverspider.replica import pages
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates

pytestmark = pytest.mark.slow

MARKED = re.compile(r"<!-- benchmark -->\n(.*)<!-- /benchmark -->", re.DOTALL)


def run_benchmark(*arguments: str) -> Done:
    return run_program(sys.executable, str(PROJECT / "tests" / "benchmarks"), *arguments, cwd=PROJECT)


def cells(text: str, client: str) -> list[str]:
    """Return the row of a client in the only table that has one."""
    [row] = [line for line in text.splitlines() if line.startswith(f"| {client} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def served_sizes(*arguments: str) -> list[int]:
    """Return the sizes in bytes of every sixtieth image of the server."""
    command = [sys.executable, str(PROJECT / "tests" / "benchmarks" / "archive.py"), "--issues", "4763", *arguments]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        opener = build_opener(ProxyHandler({"http": json.loads(server.stdout.readline())["address"]}))
        sizes = []
        for day in issue_dates()[::60]:
            with opener.open(pages.image_url(day)) as response:
                sizes.append(len(response.read()))
    return sizes


def test_served_images_have_the_sizes_of_real_covers() -> None:
    sizes = served_sizes()
    assert 50_000 <= statistics.median(sizes) <= 60_000
    assert sum(40_000 <= size <= 100_000 for size in sizes) >= 0.8 * len(sizes)


def test_tiny_images_have_1_kb() -> None:
    assert max(served_sizes("--tiny")) < 1_100


@pytest.mark.parametrize("day", [issue_dates()[0], issue_dates()[-1]])
def test_image_is_deterministic_and_has_the_pixels_of_the_replica(day: date) -> None:
    image = draw_grainy_cover(day)
    assert image == draw_grainy_cover(day)
    assert validate_image(image) == validate_image(draw_cover(day, pages.image_width(day)))


def test_readme_gets_a_table_with_both_projects(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shipped = (PROJECT / "tests" / "benchmarks" / "README.md").read_text()
    readme.write_text(shipped)
    done = run_benchmark("--issues", "60", "--pairs", "1", "--only", "engine", "--readme", str(readme))
    assert done.returncode == 0, done.stderr
    [written] = MARKED.findall(readme.read_text())
    assert written == done.stdout
    assert MARKED.sub("", readme.read_text()) == MARKED.sub("", shipped)
    headings = cells(written, "")
    tutorial, ours = (dict(zip(headings, cells(written, name), strict=True)) for name in ("tutorial", "this project"))
    # The newest 60 issues, of which the tutorial loses June's and July's; a page each, listings, index, robots.txt.
    assert (tutorial["covers"], tutorial["requests"]) == ("52", "117")
    assert (ours["covers"], ours["requests"]) == ("60", "128")
    assert "exit status" not in written


def test_verification_table_has_the_crawl_with_and_without_decoding() -> None:
    done = run_benchmark("--issues", "30", "--pairs", "1", "--only", "verification")
    assert done.returncode == 0, done.stderr
    headings = cells(done.stdout, "")
    for name in ("without decoding", "this project"):
        assert dict(zip(headings, cells(done.stdout, name), strict=True))["covers"] == "30"
    assert "exit status" not in done.stdout


@pytest.mark.parametrize(
    ("regime", "clients"),
    [
        ("averages", ("follow-up", "this project")),
        ("gallery", ("first build", "next build")),
        ("parquet", ("pyarrow alone", "this project")),
    ],
)
def test_table_of_exports_has_both_clients(regime: str, clients: tuple[str, str]) -> None:
    for module in ("cv2", "pyarrow"):
        pytest.importorskip(module, reason="needs tests/requirements-slow.txt")
    done = run_benchmark("--issues", "30", "--pairs", "1", "--only", regime)
    assert done.returncode == 0, done.stderr
    headings = cells(done.stdout, "")
    for name in clients:
        assert dict(zip(headings, cells(done.stdout, name), strict=True))["peak memory"].endswith(" MB")
    assert "exit status" not in done.stdout


def test_readme_without_marks_is_refused_and_not_changed(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("No marks.")
    done = run_benchmark("--readme", str(readme))
    assert done.returncode == 2
    assert "<!-- benchmark -->" in done.stderr
    assert readme.read_text() == "No marks."


def test_scale_table_has_a_row_for_each_size() -> None:
    done = run_benchmark("--scale", "30")
    assert done.returncode == 0, done.stderr
    row = dict(zip(cells(done.stdout, "covers"), cells(done.stdout, "30"), strict=True))
    assert row["its requests"] == "3"
    assert "exit status" not in done.stdout
