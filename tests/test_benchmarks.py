"""The benchmark runs, and says what it found. What the figures are depends on the machine, and is not tested."""

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
from conftest import PROJECT, environment

from timecoverspider.dataset.images import validate_image
from timecoverspider.replica import pages
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates

MARKED = re.compile(r"<!-- benchmark -->\n(.*)<!-- /benchmark -->", re.DOTALL)


def run_benchmark(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "benchmarks"), *arguments],
        env=environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def cells(text: str, client: str) -> list[str]:
    """The client's row in the only table that has it."""
    [row] = [line for line in text.splitlines() if line.startswith(f"| {client} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def served_sizes(*arguments: str) -> list[int]:
    """The sizes in bytes of every sixtieth image of the benchmark's server."""
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


def test_served_images_of_a_large_archive_have_1_kb() -> None:
    assert max(served_sizes("--tiny")) < 1_100


@pytest.mark.parametrize("day", [issue_dates()[0], issue_dates()[-1]])
def test_image_is_deterministic_and_has_the_pixels_of_the_replica(day: date) -> None:
    image = draw_grainy_cover(day)
    assert image == draw_grainy_cover(day)
    assert validate_image(image) == validate_image(draw_cover(day, pages.image_width(day)))


def test_benchmark_puts_a_table_of_both_clients_into_a_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shipped = (PROJECT / "README.md").read_text()
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


def test_benchmark_shows_what_verification_costs() -> None:
    done = run_benchmark("--issues", "30", "--pairs", "1", "--only", "verification")
    assert done.returncode == 0, done.stderr
    headings = cells(done.stdout, "")
    for name in ("without decoding", "this project"):
        assert dict(zip(headings, cells(done.stdout, name), strict=True))["covers"] == "30"
    assert "exit status" not in done.stdout


def test_benchmark_needs_the_marks_in_a_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("No marks.")
    done = run_benchmark("--readme", str(readme))
    assert done.returncode == 2
    assert "<!-- benchmark -->" in done.stderr
    assert readme.read_text() == "No marks."


def test_benchmark_shows_what_a_larger_archive_costs() -> None:
    done = run_benchmark("--scale", "30")
    assert done.returncode == 0, done.stderr
    row = dict(zip(cells(done.stdout, "covers"), cells(done.stdout, "30"), strict=True))
    assert row["its requests"] == "3"
    assert "exit status" not in done.stdout
