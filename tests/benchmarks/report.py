"""The results as Markdown."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from clients import OURS
from measure import Result
from regimes import LATENCY, POLITE_IN_FLIGHT, Measured, Results
from scale import Size

BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"

Value = Callable[[Result], float]
Column = tuple[str, Value, str]  # heading, value, and how it is written

WALL: Column = ("wall time", lambda result: result.wall, "{:.2f} s")
CPU: Column = ("CPU time", lambda result: result.cpu, "{:.2f} s")
SYSTEM: Column = ("the system's part of it", lambda result: result.system, "{:.2f} s")
COVERS: Column = ("covers", lambda result: result.covers, "{:,.0f}")
RATE: Column = ("covers/s", lambda result: result.covers / result.wall, "{:,.0f}")
REQUESTS: Column = ("requests", lambda result: result.requests, "{:,.0f}")
MOST: Column = ("at most in flight at a host", lambda result: result.most, "{:.0f}")
MEMORY: Column = ("peak memory", lambda result: result.memory / 2**20, "{:.0f} MB")
FIRST: Column = ("first request after", lambda result: result.first_request or 0, "{:.2f} s")
_EXPORTS = {
    "averages": "by decade, 400x527 pixels, compared with a script that uses OpenCV",
    "gallery": "in a new gallery, and in the same gallery without news",
    "parquet": "in one Parquet file, compared with a script that uses pyarrow",
}
COUNTS = (COVERS, REQUESTS, MOST)  # of which a ratio says nothing


def median(values: Sequence[float]) -> float:
    """Return the median. The module statistics would raise the peak memory of this process (see measure.py)."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, ruler, *rows))


def compared(results: Results, columns: Sequence[Column]) -> str:
    """Return a row for each client with its medians, and a row with the ratios of the second to the first."""
    rows = [
        [name, *(form.format(median([value(run) for run in runs])) for _, value, form in columns)]
        for name, runs in results.items()
    ]
    first, second, *_ = results
    ratio = ["" if column in COUNTS else _ratio(results[first], results[second], column[1]) for column in columns]
    rows.insert(2, [f"{second} / {first}", *ratio])
    return table(["", *(heading for heading, _, _ in columns)], rows) + _failures(results)


def _ratio(first: Sequence[Result], second: Sequence[Result], value: Value) -> str:
    ratios = [value(other) / value(one) for one, other in zip(first, second, strict=True) if value(one)]
    if not ratios:
        return "no ratio"
    digits = 2 if min(ratios) > 0.1 else 3
    return f"{median(ratios):.{digits}f} ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})"


def _failures(results: Results) -> str:
    bad = {name: sorted({run.status for run in runs if run.status}) for name, runs in results.items()}
    lines = [
        f"{name} ended with exit status {', '.join(map(str, statuses))}." for name, statuses in bad.items() if statuses
    ]
    return "".join(f"\n\n{line}" for line in lines)


def machine(versions: dict[str, str]) -> str:
    """Return one line about the machine and the versions."""
    names = ["a processor of unknown make"]
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")] or names
    libraries = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{names[0]}, {os.cpu_count()} cores; Python {sys.version.split()[0]}, {libraries}."


def _section(title: str, explanation: str, results: Results, columns: Sequence[Column]) -> str:
    pairs = len(next(reversed(results.values())))
    runs = "one pair of runs" if pairs == 1 else f"medians of {pairs} pairs of runs"
    return f"**{title}**: {explanation}; {runs}.\n\n{compared(results, columns)}"


def markdown(measured: Measured, scale: Sequence[Size], versions: dict[str, str]) -> str:
    """Return all tables."""
    parts = [machine(versions)]
    bound = -(-measured.issues // POLITE_IN_FLIGHT) * LATENCY
    if measured.engine:
        text = "no latency, 16 requests in flight on both sides"
        parts.append(
            _section("Engine", text, measured.engine, (WALL, CPU, SYSTEM, RATE, COVERS, REQUESTS, MEMORY, FIRST))
        )
    if measured.polite:
        text = (
            f"{LATENCY * 1000:.0f} ms latency, {POLITE_IN_FLIGHT} requests of each host answered at a time, "
            f"so that {measured.issues:,} cover pages take {bound:.2f} s at the least"
        )
        share: Column = ("wall time / least", lambda result: result.wall / bound, "{:.2f}")
        parts.append(
            _section("Polite", text, measured.polite, (WALL, share, CPU, SYSTEM, RATE, COVERS, REQUESTS, MOST, MEMORY))
        )
    if measured.recrawl:
        text = "the same command again, where nothing is new"
        parts.append(_section("Recrawl", text, measured.recrawl, (WALL, CPU, SYSTEM, COVERS, REQUESTS, MEMORY)))
    if measured.verification:
        text = "this project, as in the first table, and without decoding the images that it stores"
        parts.append(_section("Verification", text, measured.verification, (WALL, CPU, SYSTEM, COVERS, MEMORY)))
    if measured.start:
        parts.append(_section("Start", "`scrapy crawl --help`", measured.start, (WALL, CPU, MEMORY)))
    for regime, results in measured.exports.items():
        text = f"{measured.issues:,} covers {_EXPORTS[regime]}"
        parts.append(_section(regime.capitalize(), text, results, (WALL, CPU, SYSTEM, MEMORY)))
    if scale:
        parts.append(f"**Scale**: this project, images of 1 KB, no latency; one run each.\n\n{_scaled(scale)}")
    return "\n\n".join(parts)


def _scaled(scale: Sequence[Size]) -> str:
    headings = (
        *("covers", "wall time", "time per cover", "CPU time", "peak memory", "memory per further cover"),
        *("catalog", "feed", "recrawl", "its requests", "its peak memory"),
    )
    rows = [
        [
            f"{size.crawl.covers:,}",
            f"{size.crawl.wall:,.1f} s",
            f"{size.crawl.wall / max(size.crawl.covers, 1) * 1000:.2f} ms",
            f"{size.crawl.cpu:,.1f} s",
            f"{size.crawl.memory / 2**20:.0f} MB",
            _memory_per_cover(scale[0].crawl, size.crawl),
            f"{size.catalog / 2**20:.1f} MB",
            f"{size.feed / 2**20:.1f} MB",
            f"{size.recrawl.wall:.2f} s",
            f"{size.recrawl.requests:,}",
            f"{size.recrawl.memory / 2**20:.0f} MB",
        ]
        for size in scale
    ]
    return table(headings, rows) + _failures({OURS: [run for size in scale for run in (size.crawl, size.recrawl)]})


def _memory_per_cover(smallest: Result, larger: Result) -> str:
    """Return how much each cover beyond the smallest archive adds to the peak."""
    covers = larger.covers - smallest.covers
    return f"{(larger.memory - smallest.memory) / covers:,.0f} bytes" if covers else ""


def split_at_marks(readme: Path) -> tuple[str, str]:
    """Return the text before the tables and the text after them, with the marks.

    Raises:
        ValueError: if there are no marks.
    """
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme} needs a line {BEGIN} and after it a line {END}")
    return before + begin, end + after


def write_into(readme: Path, text: str) -> None:
    """Put the text between the marks in a file."""
    before, after = split_at_marks(readme)
    readme.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")
